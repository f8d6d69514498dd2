//! Unicode classes: general categories by their short names, and scripts.

use super::Refusal;
use crate::suggest;

const CATEGORIES: [&str; 36] = [
    "C", "Cc", "Cf", "Co", "Cs", "L", "Ll", "Lm", "Lo", "Lt", "Lu", "M", "Mc", "Me", "Mn", "N", "Nd", "Nl", "No", "P",
    "Pc", "Pd", "Pe", "Pf", "Pi", "Po", "Ps", "S", "Sc", "Sk", "Sm", "So", "Z", "Zl", "Zp", "Zs",
];

/// The scripts of Unicode 15, as Go names them.
const SCRIPTS: &str = "\
    Adlam Ahom Anatolian_Hieroglyphs Arabic Armenian Avestan Balinese Bamum Bassa_Vah Batak Bengali Bhaiksuki \
    Bopomofo Brahmi Braille Buginese Buhid Canadian_Aboriginal Carian Caucasian_Albanian Chakma Cham Cherokee \
    Chorasmian Common Coptic Cuneiform Cypriot Cypro_Minoan Cyrillic Deseret Devanagari Dives_Akuru Dogra Duployan \
    Egyptian_Hieroglyphs Elbasan Elymaic Ethiopic Georgian Glagolitic Gothic Grantha Greek Gujarati Gunjala_Gondi \
    Gurmukhi Han Hangul Hanifi_Rohingya Hanunoo Hatran Hebrew Hiragana Imperial_Aramaic Inherited \
    Inscriptional_Pahlavi Inscriptional_Parthian Javanese Kaithi Kannada Katakana Kawi Kayah_Li Kharoshthi \
    Khitan_Small_Script Khmer Khojki Khudawadi Lao Latin Lepcha Limbu Linear_A Linear_B Lisu Lycian Lydian \
    Mahajani Makasar Malayalam Mandaic Manichaean Marchen Masaram_Gondi Medefaidrin Meetei_Mayek Mende_Kikakui \
    Meroitic_Cursive Meroitic_Hieroglyphs Miao Modi Mongolian Mro Multani Myanmar Nabataean Nag_Mundari \
    Nandinagari New_Tai_Lue Newa Nko Nushu Nyiakeng_Puachue_Hmong Ogham Ol_Chiki Old_Hungarian Old_Italic \
    Old_North_Arabian Old_Permic Old_Persian Old_Sogdian Old_South_Arabian Old_Turkic Old_Uyghur Oriya Osage \
    Osmanya Pahawh_Hmong Palmyrene Pau_Cin_Hau Phags_Pa Phoenician Psalter_Pahlavi Rejang Runic Samaritan \
    Saurashtra Sharada Shavian Siddham SignWriting Sinhala Sogdian Sora_Sompeng Soyombo Sundanese Syloti_Nagri \
    Syriac Tagalog Tagbanwa Tai_Le Tai_Tham Tai_Viet Takri Tamil Tangsa Tangut Telugu Thaana Thai Tibetan Tifinagh \
    Tirhuta Toto Ugaritic Vai Vithkuqi Wancho Warang_Citi Yezidi Yi Zanabazar_Square";

/// The long names of categories, and what other engines call them; without `_`, in lower case.
const ELSEWHERE: [(&str, &str); 50] = [
    ("other", "C"),
    ("control", "Cc"),
    ("cntrl", "Cc"),
    ("format", "Cf"),
    ("privateuse", "Co"),
    ("letter", "L"),
    ("alphabetic", "L"),
    ("alpha", "L"),
    ("lowercaseletter", "Ll"),
    ("lowercase", "Ll"),
    ("lower", "Ll"),
    ("modifierletter", "Lm"),
    ("otherletter", "Lo"),
    ("titlecaseletter", "Lt"),
    ("titlecase", "Lt"),
    ("uppercaseletter", "Lu"),
    ("uppercase", "Lu"),
    ("upper", "Lu"),
    ("mark", "M"),
    ("combiningmark", "M"),
    ("spacingmark", "Mc"),
    ("enclosingmark", "Me"),
    ("nonspacingmark", "Mn"),
    ("number", "N"),
    ("numeric", "N"),
    ("decimalnumber", "Nd"),
    ("digit", "Nd"),
    ("letternumber", "Nl"),
    ("othernumber", "No"),
    ("punctuation", "P"),
    ("punct", "P"),
    ("connectorpunctuation", "Pc"),
    ("dashpunctuation", "Pd"),
    ("closepunctuation", "Pe"),
    ("finalpunctuation", "Pf"),
    ("initialpunctuation", "Pi"),
    ("otherpunctuation", "Po"),
    ("openpunctuation", "Ps"),
    ("symbol", "S"),
    ("currencysymbol", "Sc"),
    ("modifiersymbol", "Sk"),
    ("mathsymbol", "Sm"),
    ("othersymbol", "So"),
    ("separator", "Z"),
    ("whitespace", "Z"),
    ("space", "Z"),
    ("blank", "Zs"),
    ("lineseparator", "Zl"),
    ("paragraphseparator", "Zp"),
    ("spaceseparator", "Zs"),
];

/// A class by its name, as an item of a class.
pub(super) fn class(name: &str, negated: bool) -> Result<String, Refusal> {
    let letter = if negated { 'P' } else { 'p' };
    if name == "Any" {
        return Ok(format!("\\{letter}{{any}}"));
    }
    // Surrogates are in no string.
    if name == "Cs" {
        return Ok(format!("\\{}{{any}}", if negated { 'p' } else { 'P' }));
    }
    if CATEGORIES.contains(&name) {
        return Ok(format!("\\{letter}{{gc={name}}}"));
    }
    if SCRIPTS.split_whitespace().any(|script| script == name) {
        return Ok(format!("\\{letter}{{sc={name}}}"));
    }
    Refusal::new(format!("RE2 has no class `\\{letter}{{{name}}}`"), &help(letter, name))
}

fn help(letter: char, name: &str) -> String {
    let plain = name.rsplit(['=', ':']).next().unwrap_or(name);
    if let Some(short) = category(plain) {
        return format!(
            "did you mean `\\\\{letter}{{{short}}}`? RE2 knows general categories by their short names only"
        );
    }
    let scripts: Vec<&str> = SCRIPTS.split_whitespace().collect();
    // Java writes \p{IsGreek}, and \p{InGreek} for a block.
    let bare = plain.strip_prefix("Is").or_else(|| plain.strip_prefix("In")).unwrap_or(plain);
    let same = |known: &&str| folded(known) == folded(plain) || folded(known) == folded(bare);
    let near = || suggest::nearest(plain, &scripts).or_else(|| suggest::nearest(bare, &scripts));
    match scripts.iter().copied().find(same).or_else(near) {
        Some(meant) => format!("did you mean `\\\\{letter}{{{meant}}}`?"),
        None => "write a general category such as `\\\\p{Lu}`, or a script such as `\\\\p{Greek}`".to_owned(),
    }
}

/// The category by its short name in any case, or by another name.
fn category(name: &str) -> Option<&'static str> {
    let long = folded(name);
    let long = long.strip_prefix("is").unwrap_or(&long);
    let short = CATEGORIES.iter().copied().find(|short| short.eq_ignore_ascii_case(name));
    short.or_else(|| ELSEWHERE.iter().find(|(other, _)| *other == long).map(|(_, short)| *short))
}

/// Unicode compares names without case, blanks, `_` and `-`.
fn folded(name: &str) -> String {
    name.chars().filter(|c| !matches!(c, ' ' | '_' | '-')).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use regex::Regex;

    use super::*;

    #[test]
    fn the_engine_knows_every_name() {
        let names: Vec<&str> = CATEGORIES.into_iter().chain(SCRIPTS.split_whitespace()).chain(["Any"]).collect();
        assert_eq!(names.len(), 36 + 163 + 1);
        for name in names {
            for negated in [false, true] {
                let class = class(name, negated).unwrap();
                assert!(Regex::new(&format!("[{class}]")).is_ok(), "{name}: {class}");
            }
        }
    }

    #[test]
    fn other_names_are_refused_with_the_one_that_was_probably_meant() {
        for (name, meant) in [
            ("greek", "Greek"),
            ("Script=Greek", "Greek"),
            ("sc=Cyrilic", "Cyrillic"),
            ("IsGreek", "Greek"),
            ("Inherted", "Inherited"),
            ("linear-b", "Linear_B"),
            ("Lowercase", "Ll"),
            ("gc=lu", "Lu"),
            ("Letter", "L"),
            ("IsAlphabetic", "L"),
            ("Decimal_Number", "Nd"),
            ("decimal number", "Nd"),
            ("General_Category=Uppercase_Letter", "Lu"),
            ("Space_Separator", "Zs"),
        ] {
            let Refusal { reason, help } = class(name, false).unwrap_err();
            assert!(reason.ends_with(&format!("`\\p{{{name}}}`")), "{reason}");
            let help = help.unwrap();
            assert!(help.starts_with(&format!("did you mean `\\\\p{{{meant}}}`?")), "{name}: {help}");
            assert_eq!(help.contains("short names"), CATEGORIES.contains(&meant), "{name}: {help}");
        }
        let negated = class("Letter", true).unwrap_err().help.unwrap();
        assert!(negated.starts_with("did you mean `\\\\P{L}`?"), "{negated}");
        assert!(class("Emoji", true).unwrap_err().help.unwrap().contains("general category"));
    }

    #[test]
    fn what_stands_for_a_category_is_one() {
        for (name, short) in ELSEWHERE {
            assert!(CATEGORIES.contains(&short), "{name}");
            assert_eq!(folded(name), name);
        }
    }
}
