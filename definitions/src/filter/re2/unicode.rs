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

/// What other engines call a category.
const ELSEWHERE: [(&str, &str); 10] = [
    ("Letter", "L"),
    ("Alphabetic", "L"),
    ("Lowercase", "Ll"),
    ("Uppercase", "Lu"),
    ("Number", "N"),
    ("Digit", "Nd"),
    ("Punctuation", "P"),
    ("Symbol", "S"),
    ("Separator", "Z"),
    ("White_Space", "Z"),
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
    Refusal::new(format!("RE2 has no class `\\{letter}{{{name}}}`"), &help(name))
}

fn help(name: &str) -> String {
    let plain = name.rsplit(['=', ':']).next().unwrap_or(name);
    let same = |known: &&str| known.eq_ignore_ascii_case(plain);
    let elsewhere = ELSEWHERE.iter().find(|(other, _)| same(other)).map(|(_, ours)| *ours);
    let scripts: Vec<&str> = SCRIPTS.split_whitespace().collect();
    let meant = elsewhere.or_else(|| CATEGORIES.iter().chain(&scripts).copied().find(|known| same(known)));
    match meant.or_else(|| suggest::nearest(plain, &scripts)) {
        Some(meant) => format!("did you mean `\\\\p{{{meant}}}`?"),
        None => "write a general category such as `\\\\p{Lu}`, or a script such as `\\\\p{Greek}`".to_owned(),
    }
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
            ("Lowercase", "Ll"),
            ("gc=lu", "Lu"),
            ("Letter", "L"),
        ] {
            let Refusal { reason, help } = class(name, false).unwrap_err();
            assert!(reason.ends_with(&format!("`\\p{{{name}}}`")), "{reason}");
            assert_eq!(help.unwrap(), format!("did you mean `\\\\p{{{meant}}}`?"), "{name}");
        }
        assert!(class("Emoji", true).unwrap_err().help.unwrap().contains("general category"));
    }
}
