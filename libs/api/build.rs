//! Compiles `proto/` without protoc: messages, clients, servers, descriptors, who carries sealed texts, and who may call what.

use std::collections::HashSet;
use std::error::Error;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

use prost_reflect::{
    Cardinality, DescriptorPool, DynamicMessage, EnumDescriptor, ExtensionDescriptor, FieldDescriptor, Kind,
    MessageDescriptor, MethodDescriptor, OneofDescriptor, ReflectMessage as _, Value,
};

/// The message that holds a text which may be sealed.
const TEXT: &str = "seva.common.v1.Text";

fn main() -> Result<(), Box<dyn Error>> {
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?).join("../../proto");
    let out = PathBuf::from(env::var("OUT_DIR")?);
    println!("cargo:rerun-if-changed={}", root.display());

    let mut files = Vec::new();
    proto_files(&root, &mut files)?;
    files.sort();
    let mut compiler = protox::Compiler::new([&root])?;
    compiler.include_source_info(true).include_imports(true).open_files(&files)?;
    // As bytes, because what prost decodes has lost the methods' own options.
    fs::write(out.join("seva.binpb"), compiler.encode_file_descriptor_set())?;

    let pool = compiler.descriptor_pool();
    fs::write(out.join("impls.rs"), impls(&pool)?)?;
    fs::write(out.join("declared.rs"), declared(&pool)?)?;

    let descriptors = compiler.file_descriptor_set();
    tonic_prost_build::configure().codec_path("crate::codec::ProstCodec").compile_fds(descriptors)?;
    Ok(())
}

/// Adds every `.proto` file below a folder.
fn proto_files(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), Box<dyn Error>> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            proto_files(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "proto") {
            files.push(path);
        }
    }
    Ok(())
}

/// The option with which a method says who may call it.
const ACCESS: &str = "seva.common.v1.access";

/// The table of all methods, in order of their paths, each with who may call it. A method that does not say so is an error.
fn declared(pool: &DescriptorPool) -> Result<String, Box<dyn Error>> {
    let access = pool.get_extension_by_name(ACCESS).ok_or("`seva.common.v1.access` is not in proto/")?;
    let mut methods: Vec<(String, MethodDescriptor)> = Vec::new();
    for service in pool.services().filter(|service| service.package_name().starts_with("seva.")) {
        for method in service.methods() {
            methods.push((format!("/{}/{}", service.full_name(), method.name()), method));
        }
    }
    methods.sort_by(|(one, _), (other, _)| one.cmp(other));
    let mut code = String::from("&[");
    for (path, method) in methods {
        let entry = entry(&method, &access).map_err(|what| {
            format!("{} {what}: see Access in proto/seva/common/v1/access.proto", method.full_name())
        })?;
        writeln!(code, "Method {{ path: {path:?}, {entry} }},")?;
    }
    code.push(']');
    Ok(code)
}

/// What one method declares.
fn entry(method: &MethodDescriptor, access: &ExtensionDescriptor) -> Result<String, String> {
    let options = method.options();
    if !options.has_extension(access) {
        return Err("does not say who may call it".to_owned());
    }
    let said = options.get_extension(access);
    let said = said.as_message().ok_or("has an access option that is no message")?;
    let roles = names(said, "roles")?;
    if roles.is_empty() {
        return Err("lets nobody call it: it names no role".to_owned());
    }
    let rule = names(said, "object_rule")?;
    let [rule] = rule.as_slice() else { return Err("names no object rule".to_owned()) };
    let readers = names(said, "personal_data")?;
    if let Some(reader) = readers.iter().find(|reader| !roles.contains(reader)) {
        return Err(format!("opens texts for {reader}, who may not call it"));
    }
    let has_texts = message_holds_text(&method.output());
    if has_texts == readers.is_empty() {
        return Err("answers with texts if and only if it says who reads them".to_owned());
    }
    let is_audited = said.get_field_by_name("audited").is_some_and(|value| value.as_bool() == Some(true));
    let listed =
        |names: &[String]| names.iter().map(|name| format!("Role::{name}")).collect::<Vec<_>>().join(", ");
    Ok(format!(
        "roles: &[{}], object_rule: ObjectRule::{rule}, personal_data: &[{}], is_audited: {is_audited}",
        listed(&roles),
        listed(&readers)
    ))
}

/// The values of an enum field in Rust's spelling: `ROLE_POLICY_EDITOR` is `PolicyEditor`. The unspecified one is none.
fn names(message: &DynamicMessage, field: &str) -> Result<Vec<String>, String> {
    let descriptor = message.descriptor().get_field_by_name(field);
    let descriptor = descriptor.ok_or_else(|| format!("has no field `{field}` in its access option"))?;
    let Kind::Enum(kind) = descriptor.kind() else { return Err(format!("has no enum in `{field}`")) };
    let value = message.get_field(&descriptor);
    let numbers: Vec<i32> = match value.as_ref() {
        Value::List(values) => values.iter().filter_map(Value::as_enum_number).collect(),
        value => value.as_enum_number().into_iter().collect(),
    };
    Ok(numbers.into_iter().filter(|number| *number != 0).filter_map(|number| name(&kind, number)).collect())
}

fn name(kind: &EnumDescriptor, number: i32) -> Option<String> {
    let prefix = format!("{}_", snake(kind.name()).to_uppercase());
    let value = kind.get_value(number)?;
    Some(camel(&value.name().strip_prefix(&prefix)?.to_lowercase()))
}

/// `Texts` and `Wire` for every message of the product.
fn impls(pool: &DescriptorPool) -> Result<String, Box<dyn Error>> {
    let mut requests = HashSet::new();
    for service in pool.services() {
        requests.extend(service.methods().map(|method| method.input().full_name().to_owned()));
    }
    let mut code = String::new();
    for message in pool
        .all_messages()
        .filter(|message| message.package_name().starts_with("seva.") && !message.is_map_entry())
    {
        let path = rust_path(&message);
        let is_request = requests.contains(message.full_name());
        writeln!(code, "impl crate::codec::Wire for {path} {{ const IS_REQUEST: bool = {is_request}; }}")?;
        let body = texts_body(&message)?;
        let visit = if body.is_empty() { "_visit" } else { "visit" };
        writeln!(
            code,
            "impl crate::open::Texts for {path} {{ fn texts_mut(&mut self, {visit}: &mut dyn FnMut(&mut {}::common::v1::Text)) {{ {body} }} }}",
            PB
        )?;
    }
    Ok(code)
}

/// Where the generated modules are.
const PB: &str = "crate::pb";

/// Visits every field that holds a text or a message that does.
fn texts_body(message: &MessageDescriptor) -> Result<String, Box<dyn Error>> {
    if message.full_name() == TEXT {
        return Ok("visit(self)".to_owned());
    }
    let mut body = String::new();
    for field in message.fields().filter(carries_text) {
        // A field with presence of its own stands in a oneof only for the encoding.
        if field.containing_oneof().is_some_and(|oneof| !oneof.is_synthetic()) {
            continue;
        }
        let name = field_name(field.name());
        if field.is_map() {
            write!(body, "for held in self.{name}.values_mut() {{ held.texts_mut(visit); }} ")?;
        } else if field.cardinality() == Cardinality::Required {
            write!(body, "self.{name}.texts_mut(visit); ")?;
        } else {
            write!(body, "for held in self.{name}.iter_mut() {{ held.texts_mut(visit); }} ")?;
        }
    }
    for oneof in message.oneofs().filter(|oneof| !oneof.is_synthetic()) {
        let carrying: Vec<FieldDescriptor> = oneof.fields().filter(carries_text).collect();
        if carrying.is_empty() {
            continue;
        }
        write!(body, "match &mut self.{} {{ ", field_name(oneof.name()))?;
        for field in &carrying {
            write!(
                body,
                "Some({}::{}(held)) => held.texts_mut(visit), ",
                oneof_path(&oneof),
                camel(field.name())
            )?;
        }
        if carrying.len() < oneof.fields().count() {
            write!(body, "Some(_) => {{}} ")?;
        }
        write!(body, "None => {{}} }} ")?;
    }
    Ok(body)
}

/// Whether a field's message is a text, or holds one however deep.
fn carries_text(field: &FieldDescriptor) -> bool {
    message_of(field).is_some_and(|message| message_holds_text(&message))
}

/// Whether a message is a text, or holds one however deep.
fn message_holds_text(message: &MessageDescriptor) -> bool {
    fn holds(message: &MessageDescriptor, seen: &mut HashSet<String>) -> bool {
        message.full_name() == TEXT
            || (seen.insert(message.full_name().to_owned())
                && message.fields().any(|field| message_of(&field).is_some_and(|inner| holds(&inner, seen))))
    }
    holds(message, &mut HashSet::new())
}

/// The message in a field: of a map, the one that is its value.
fn message_of(field: &FieldDescriptor) -> Option<MessageDescriptor> {
    match field.kind() {
        Kind::Message(entry) if entry.is_map_entry() => message_of(&entry.map_entry_value_field()),
        Kind::Message(message) => Some(message),
        _ => None,
    }
}

/// Where prost puts a message: nested ones in a module named after the outer one.
fn rust_path(message: &MessageDescriptor) -> String {
    let outer = match message.parent_message() {
        Some(parent) => module_of(&parent),
        None => package_path(message.package_name()),
    };
    format!("{outer}::{}", camel(message.name()))
}

fn oneof_path(oneof: &OneofDescriptor) -> String {
    format!("{}::{}", module_of(oneof.parent_message()), camel(oneof.name()))
}

fn module_of(message: &MessageDescriptor) -> String {
    let outer = match message.parent_message() {
        Some(parent) => module_of(&parent),
        None => package_path(message.package_name()),
    };
    format!("{outer}::{}", snake(message.name()))
}

fn package_path(package: &str) -> String {
    let below = package.strip_prefix("seva.").unwrap_or(package).replace('.', "::");
    format!("{PB}::{below}")
}

/// `as_of` becomes `AsOf`; a name in camel case stays.
fn camel(name: &str) -> String {
    let mut out = String::new();
    for part in name.split('_') {
        let mut letters = part.chars();
        out.extend(letters.next().map(|first| first.to_ascii_uppercase()));
        out.push_str(letters.as_str());
    }
    out
}

/// `GetCaseRequest` becomes `get_case_request`.
fn snake(name: &str) -> String {
    let mut out = String::new();
    for (index, letter) in name.chars().enumerate() {
        if letter.is_ascii_uppercase() && index > 0 {
            out.push('_');
        }
        out.push(letter.to_ascii_lowercase());
    }
    out
}

/// A field's name in Rust: the few that are words of the language are written raw.
fn field_name(name: &str) -> String {
    match name {
        "as" | "async" | "await" | "box" | "break" | "const" | "else" | "enum" | "fn" | "for" | "if"
        | "impl" | "in" | "let" | "loop" | "match" | "mod" | "move" | "ref" | "return" | "static"
        | "struct" | "trait" | "type" | "use" | "where" | "while" | "yield" => {
            format!("r#{name}")
        }
        _ => name.to_owned(),
    }
}
