//! The published JSON Schemas, which are themselves valid.

use std::sync::LazyLock;

use boon::{Compiler, SchemaIndex, Schemas};
use serde_json::Value;

/// A published schema.
pub struct Schema(LazyLock<Result<(Schemas, SchemaIndex), String>>);

pub static REPORT: Schema =
    Schema(LazyLock::new(|| compiled(include_str!("../../assets/report.schema.json"))));
pub static DIFF: Schema = Schema(LazyLock::new(|| compiled(include_str!("../../assets/diff.schema.json"))));
pub static PROTOCOL: Schema =
    Schema(LazyLock::new(|| compiled(include_str!("../../assets/protocol.schema.json"))));

fn compiled(text: &str) -> Result<(Schemas, SchemaIndex), String> {
    let schema = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
    compiler.add_resource("published.json", schema).map_err(|error| error.to_string())?;
    let index = compiler.compile("published.json", &mut schemas).map_err(|error| format!("{error:#}"))?;
    Ok((schemas, index))
}

impl Schema {
    /// Holds a document against it; the error says what is wrong with which of the two.
    pub fn check(&self, document: &Value) -> Result<(), String> {
        let (schemas, index) = self.0.as_ref().map_err(String::clone)?;
        schemas.validate(document, *index).map_err(|error| error.to_string())
    }
}

#[test]
fn a_schema_that_is_none_checks_nothing() {
    let faulty = compiled(r#"{"$schema": "https://json-schema.org/draft/2020-12/schema", "type": "text"}"#);
    assert!(faulty.is_err());
}
