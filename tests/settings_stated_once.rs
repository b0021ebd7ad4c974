//! What the page and the documents say of the settings is what `src/settings/fields.rs` says.
//!
//! With SHOWO_WRITE=1 the files are written instead of compared.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use showo::settings::{FIELDS, Field, MOST_EXACT};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// `found` must be in the file; with SHOWO_WRITE it then is.
fn same(file: &str, before: &str, after: &str) {
    let path = root().join(file);
    if std::env::var_os("SHOWO_WRITE").is_some() {
        return fs::write(path, after).expect("written");
    }
    assert!(before == after, "{file} is not what src/settings/fields.rs says; SHOWO_WRITE=1 cargo test writes it anew");
}

fn number(value: f64) -> String {
    if value == MOST_EXACT { "Number.MAX_SAFE_INTEGER".into() } else { value.to_string() }
}

#[test]
fn the_form_s_fields_are_the_table_s() {
    let mut js = String::from(
        "// What the numbers of the form may be. Written by tests/settings_stated_once.rs from src/settings/fields.rs.\n\n\
         /**\n * One numeric setting: its id on the page and in the link, its name in a sentence, its range, and what it decides.\n *\n\
         \x20* @typedef {{ id: string, name: string, lowest: number, highest: number, step: number, whole: boolean, ofReflection: boolean, sentence: string }} NumberField\n */\n\n\
         /** @type {NumberField[]} */\nexport const NUMBER_FIELDS = [\n",
    );
    for Field { id, label, sentence, lowest, highest, step, whole, of_reflection, .. } in FIELDS {
        let (lowest, highest) = (number(lowest), number(highest));
        writeln!(
            js,
            "  {{ id: {id:?}, name: {label:?}, lowest: {lowest}, highest: {highest}, step: {step}, whole: {whole}, ofReflection: {of_reflection}, sentence: {sentence:?} }},"
        )
        .expect("a string takes it");
    }
    js.push_str("];\n");
    let file = "www/app/fields.js";
    same(file, &fs::read_to_string(root().join(file)).unwrap_or_default(), &js);
}

#[test]
fn the_document_s_table_is_the_table_s() {
    let mut table = String::from("| setting | flag, link | from | to | default | |\n|---|---|---|---|---|---|\n");
    for Field { id, name, sentence, lowest, highest, default, .. } in FIELDS {
        let highest = if highest == MOST_EXACT { "2⁵³ − 1".into() } else { highest.to_string() };
        writeln!(table, "| {name} | `{id}` | {lowest} | {highest} | {default} | {sentence} |")
            .expect("a string takes it");
    }
    let (file, begin, end) = ("docs/method.md", "<!-- settings -->\n", "<!-- end of settings -->");
    let text = fs::read_to_string(root().join(file)).expect("the document");
    let start = text.find(begin).expect("the beginning's mark") + begin.len();
    let stop = text.find(end).expect("the end's mark");
    same(file, &text, &format!("{}{table}{}", &text[..start], &text[stop..]));
}
