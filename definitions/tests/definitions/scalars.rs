//! Scalars with a tag, which says what they are whatever they look like.

use slipstream_definitions::definition::Ratio;

use crate::documents::{CHECKOUT, load_texts, summary};

#[test]
fn a_tagged_string_is_one_and_a_tagged_number_is_one() {
    let loaded = load_texts(&[&CHECKOUT
        .replace("target: 0.995", "target: !!float 0.995")
        .replace("description: Payments succeed", "description: !!str 7")]);
    assert_eq!(summary(&loaded.diagnostics), []);
    assert_eq!(loaded.slos[0].objectives[0].target, Ratio { num: 199, den: 200 });
    assert_eq!(loaded.slos[0].description, "7");
    // Verbatim it is the same tag.
    let loaded = load_texts(&[&CHECKOUT.replace("target: 0.995", "target: !<tag:yaml.org,2002:float> 0.995")]);
    assert_eq!(summary(&loaded.diagnostics), []);
    for (from, to, marked) in
        [("target: 0.995", "target: !!str 0.995", "0.995"), ("description: Payments succeed", "description: 7", "7")]
    {
        let loaded = load_texts(&[&CHECKOUT.replace(from, to)]);
        let found = summary(&loaded.diagnostics);
        assert!(found.iter().any(|f| f.0 == "wrong-type" && f.3.ends_with(marked)), "{to}: {found:?}");
    }
}
