//! The events in single-object encoding, by versions of apache-avro: library, version, event, hex.

use serde_json::Value;

macro_rules! by {
    ($library:ident, $version:literal, $schema:expr, $events:expr) => {{
        let schema = $library::Schema::parse_str($schema).unwrap();
        let fingerprint = schema.fingerprint::<$library::rabin::Rabin>().bytes;
        for (number, event) in $events.iter().enumerate() {
            let value = $library::types::Value::try_from(event.clone()).unwrap().resolve(&schema).unwrap();
            let body = $library::to_avro_datum(&schema, value).unwrap();
            let message = [&[0xC3, 0x01], fingerprint.as_slice(), &body].concat();
            let hex: String = message.iter().map(|byte| format!("{byte:02x}")).collect();
            println!("apache-avro (Rust)\t{}\t{number}\t{hex}", $version);
        }
    }};
}

#[allow(deprecated, reason = "what all versions have")]
fn main() {
    let mut paths = std::env::args().skip(1);
    let mut text = || std::fs::read_to_string(paths.next().unwrap()).unwrap();
    let (schema, events) = (text(), text());
    let events: Vec<Value> = serde_json::from_str(&events).unwrap();
    by!(v0_16, "0.16.0", &schema, events);
    by!(v0_22, "0.22.0", &schema, events);
}
