//! What a misspelt name was probably meant to be.

/// Names that are longer are not compared: they are near none, and it would cost the product of the lengths.
const COMPARED: usize = 32;

/// The field that a name is a misspelling of, if it is near one.
pub(crate) fn nearest<'f>(name: &str, fields: &[&'f str]) -> Option<&'f str> {
    let comparable = fields.iter().filter(|_| name.len() <= COMPARED);
    let (distance, field) = comparable.map(|field| (strsim::levenshtein(field, name), *field)).min()?;
    (distance <= 3 && distance < name.len().max(2)).then_some(field)
}
