//! A dashboard's file: its variables in order, and every query in it.

use std::path::Path;

use serde_json::Value;

/// What a query is written in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Language {
    #[default]
    Sql,
    Prom,
}

#[derive(Debug, Default)]
pub struct Query {
    /// Title of its panel, or name of its annotation, and its letter.
    pub place: String,
    pub language: Language,
    pub text: String,
    /// The panel says what it means that there is no value.
    pub may_be_null: bool,
}

#[derive(Debug)]
pub struct Variable {
    pub name: String,
    pub language: Language,
    /// Where its values come from; `None` if they are listed.
    pub query: Option<String>,
    pub values: Vec<String>,
    /// All values are chosen to begin with.
    pub all: bool,
    /// What stands for all values, instead of their list.
    pub all_value: Option<String>,
}

#[derive(Debug)]
pub struct Dashboard {
    pub uid: String,
    pub title: String,
    /// Type of data source that its variable asks for.
    pub data_source: String,
    pub variables: Vec<Variable>,
    pub queries: Vec<Query>,
    pub json: Value,
}

impl Dashboard {
    pub fn load(path: &Path) -> Dashboard {
        let text = std::fs::read_to_string(path).unwrap();
        let json: Value = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let list = json["templating"]["list"].as_array().unwrap();
        let chooser = list.iter().find(|v| v["type"] == "datasource" && v["name"] == "datasource");
        let chooser = chooser.unwrap_or_else(|| panic!("{}: no variable for the data source", path.display()));
        let mut queries: Vec<Query> = Vec::new();
        for panel in json["panels"].as_array().unwrap().iter().filter(|p| p["type"] != "row") {
            let targets = panel["targets"].as_array().unwrap();
            assert!(!targets.is_empty(), "{}: {} asks for nothing", path.display(), panel["title"]);
            queries.extend(targets.iter().map(|target| of_panel(panel, target)));
        }
        let annotations = json["annotations"]["list"].as_array().unwrap();
        queries.extend(annotations.iter().filter(|a| a["builtIn"] != 1).map(of_annotation));
        Dashboard {
            uid: word(&json["uid"]),
            title: word(&json["title"]),
            data_source: word(&chooser["query"]),
            variables: list.iter().filter(|v| v["type"] != "datasource").map(variable).collect(),
            queries,
            json,
        }
    }

    pub fn panels(&self) -> impl Iterator<Item = &Value> {
        self.json["panels"].as_array().unwrap().iter()
    }
}

fn of_panel(panel: &Value, target: &Value) -> Query {
    let (language, text) = match target["rawSql"].as_str() {
        Some(sql) => (Language::Sql, sql.to_owned()),
        None => (Language::Prom, word(&target["expr"])),
    };
    Query {
        place: format!("{} {}", word(&panel["title"]), word(&target["refId"])),
        language,
        text,
        may_be_null: panel["fieldConfig"]["defaults"]["noValue"].is_string(),
    }
}

fn of_annotation(annotation: &Value) -> Query {
    Query {
        place: format!("annotation {}", word(&annotation["name"])),
        text: word(&annotation["target"]["rawSql"]),
        ..Query::default()
    }
}

fn variable(json: &Value) -> Variable {
    let prom = json["datasource"]["type"] == "prometheus";
    let options = json["options"].as_array().unwrap();
    Variable {
        name: word(&json["name"]),
        language: if prom { Language::Prom } else { Language::Sql },
        query: (json["type"] == "query").then(|| word(&json["query"])),
        values: options.iter().filter(|o| o["selected"] == true).map(|o| word(&o["value"])).collect(),
        all: json["includeAll"] == true,
        all_value: json["allValue"].as_str().map(str::to_owned),
    }
}

fn word(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("a text is expected, not {value}")).to_owned()
}
