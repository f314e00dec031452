//! Compares the LittleHorse API that we declare with the descriptors inside the published client.

use std::collections::{BTreeMap, BTreeSet};

use libtest_mimic::Failed;
use ostler::api::DESCRIPTORS;
use prost_reflect::prost::Message;
use prost_reflect::prost_types::field_descriptor_proto::{Label, Type};
use prost_reflect::prost_types::{
    DescriptorProto, EnumDescriptorProto, FieldDescriptorProto, FileDescriptorSet, ServiceDescriptorProto,
};

use crate::environment::Environment;

const PACKAGE: &str = "littlehorse";

/// Fails on any difference, in either direction.
pub fn same_as_the_published_client(environment: &Environment) -> Result<(), Failed> {
    let output = environment.command("tests/sdk/published.py").output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
    }
    let published = facts(&FileDescriptorSet::decode(output.stdout.as_slice())?);
    if published.len() < 1_000 {
        return Err(format!("the published client declares only {} things: was it read?", published.len()).into());
    }
    let differences = differences(&published, &facts(&declared()?));
    if differences.is_empty() { Ok(()) } else { Err(differences.join("\n").into()) }
}

/// The comparison is compared: every kind of change to what we declare must be seen, and nothing else.
pub fn sees_every_kind_of_change() -> Result<(), Failed> {
    type Change = (&'static str, fn(&mut FileDescriptorSet));
    let changes: &[Change] = &[
        ("field littlehorse.UserTaskRun 12", |set| field(set, "UserTaskRun", "epoch").number = Some(13)),
        ("field littlehorse.UserTaskRun 12", |set| field(set, "UserTaskRun", "epoch").name = Some("round".into())),
        ("field littlehorse.UserTaskRun 12", |set| field(set, "UserTaskRun", "epoch").set_type(Type::Int64)),
        ("field littlehorse.UserTaskRun 12", |set| field(set, "UserTaskRun", "epoch").set_label(Label::Repeated)),
        ("field littlehorse.UserTaskRun 4", |set| {
            let user = field(set, "UserTaskRun", "user_id");
            (user.proto3_optional, user.oneof_index) = (None, None);
        }),
        ("field littlehorse.VariableValue 6", |set| field(set, "VariableValue", "str").oneof_index = None),
        ("message littlehorse.UserTaskRun", |set| message(set, "UserTaskRun").name = Some("UserTask".into())),
        ("value littlehorse.UserTaskRunStatus DONE", |set| {
            let list = set.file.iter_mut().flat_map(|file| &mut file.enum_type);
            let status = list.into_iter().find(|one| one.name() == "UserTaskRunStatus").expect("the enum");
            status.value.iter_mut().find(|value| value.name() == "DONE").expect("the value").number = Some(2);
        }),
        ("rpc littlehorse.LittleHorse.PollTask", |set| method(set, "PollTask").client_streaming = None),
        ("rpc littlehorse.LittleHorse.PollTask", |set| method(set, "PollTask").server_streaming = Some(false)),
        ("rpc littlehorse.LittleHorse.Whoami", |set| {
            method(set, "Whoami").output_type = Some(".littlehorse.Tenant".into())
        }),
        ("rpc littlehorse.LittleHorse.Whoami", |set| method(set, "Whoami").name = Some("WhoAmI".into())),
        ("reserved littlehorse.UserTaskRun", |set| {
            let range = prost_reflect::prost_types::descriptor_proto::ReservedRange { start: Some(90), end: Some(95) };
            message(set, "UserTaskRun").reserved_range.push(range);
        }),
    ];
    let ours = facts(&declared()?);
    if !differences(&ours, &ours).is_empty() {
        return Err("the declared API differs from itself".into());
    }
    for (number, (expected, change)) in changes.iter().enumerate() {
        let mut changed = declared()?;
        change(&mut changed);
        let seen = differences(&ours, &facts(&changed));
        if !seen.iter().any(|line| line.starts_with(&format!("{expected}: "))) {
            return Err(format!("change {number} to {expected} was not seen, only: {seen:?}").into());
        }
    }
    Ok(())
}

fn declared() -> Result<FileDescriptorSet, Failed> {
    Ok(FileDescriptorSet::decode(DESCRIPTORS)?)
}

fn message<'a>(set: &'a mut FileDescriptorSet, name: &str) -> &'a mut DescriptorProto {
    set.file
        .iter_mut()
        .flat_map(|file| &mut file.message_type)
        .find(|message| message.name() == name)
        .expect("a message")
}

fn field<'a>(set: &'a mut FileDescriptorSet, of: &str, name: &str) -> &'a mut FieldDescriptorProto {
    message(set, of).field.iter_mut().find(|field| field.name() == name).expect("a field")
}

fn method<'a>(set: &'a mut FileDescriptorSet, name: &str) -> &'a mut prost_reflect::prost_types::MethodDescriptorProto {
    let services = set.file.iter_mut().flat_map(|file| &mut file.service);
    services.flat_map(|service| &mut service.method).find(|method| method.name() == name).expect("a method")
}

/// Everything that matters on the wire, one line a thing: what it is called by the wire, and what it is.
fn facts(set: &FileDescriptorSet) -> BTreeMap<String, String> {
    let mut facts = BTreeMap::new();
    for file in set.file.iter().filter(|file| file.package() == PACKAGE) {
        file.message_type.iter().for_each(|message| message_facts(&mut facts, PACKAGE, message));
        file.enum_type.iter().for_each(|one| enum_facts(&mut facts, PACKAGE, one));
        file.service.iter().for_each(|service| service_facts(&mut facts, service));
    }
    facts
}

fn message_facts(facts: &mut BTreeMap<String, String>, scope: &str, message: &DescriptorProto) {
    let path = format!("{scope}.{}", message.name());
    let is_map = message.options.as_ref().is_some_and(|options| options.map_entry());
    facts.insert(format!("message {path}"), if is_map { "map entry" } else { "message" }.into());
    for field in &message.field {
        facts.insert(format!("field {path} {}", field.number()), field_fact(message, field));
    }
    let ranges = message.reserved_range.iter().map(|range| (range.start() as i64, range.end() as i64 - 1));
    reserved(facts, &path, ranges, &message.reserved_name);
    message.nested_type.iter().for_each(|nested| message_facts(facts, &path, nested));
    message.enum_type.iter().for_each(|one| enum_facts(facts, &path, one));
}

fn field_fact(message: &DescriptorProto, field: &FieldDescriptorProto) -> String {
    let label = match field.label() {
        _ if field.proto3_optional() => "optional",
        Label::Optional => "singular",
        Label::Repeated => "repeated",
        Label::Required => "required",
    };
    let kind = match field.type_name() {
        "" => field.r#type().as_str_name().trim_start_matches("TYPE_").to_lowercase(),
        name => name.trim_start_matches('.').to_owned(),
    };
    let oneof = match field.oneof_index {
        // The oneof that proto3 makes for an optional field is in its label.
        Some(index) if !field.proto3_optional() => {
            let oneof = usize::try_from(index).ok().and_then(|index| message.oneof_decl.get(index));
            format!(" in oneof {}", oneof.map_or("?", |oneof| oneof.name()))
        }
        _ => String::new(),
    };
    format!("{label} {kind} {}{oneof}", field.name())
}

fn enum_facts(facts: &mut BTreeMap<String, String>, scope: &str, one: &EnumDescriptorProto) {
    let path = format!("{scope}.{}", one.name());
    facts.insert(format!("enum {path}"), "enum".into());
    for value in &one.value {
        facts.insert(format!("value {path} {}", value.name()), value.number().to_string());
    }
    let ranges = one.reserved_range.iter().map(|range| (range.start() as i64, range.end() as i64));
    reserved(facts, &path, ranges, &one.reserved_name);
}

/// Reserved numbers as inclusive ranges (messages and enums count the end differently), and reserved names.
fn reserved(
    facts: &mut BTreeMap<String, String>,
    path: &str,
    ranges: impl Iterator<Item = (i64, i64)>,
    names: &[String],
) {
    let numbers: BTreeSet<i64> = ranges.flat_map(|(first, last)| first..=last.min(first + 10_000)).collect();
    if !numbers.is_empty() || !names.is_empty() {
        facts.insert(format!("reserved {path}"), format!("{numbers:?} {:?}", names.iter().collect::<BTreeSet<_>>()));
    }
}

fn service_facts(facts: &mut BTreeMap<String, String>, service: &ServiceDescriptorProto) {
    let path = format!("{PACKAGE}.{}", service.name());
    facts.insert(format!("service {path}"), "service".into());
    for method in &service.method {
        let stream = |streams: bool| if streams { "stream " } else { "" };
        let (takes, gives) =
            (method.input_type().trim_start_matches('.'), method.output_type().trim_start_matches('.'));
        let text = format!(
            "({}{takes}) returns ({}{gives})",
            stream(method.client_streaming()),
            stream(method.server_streaming())
        );
        facts.insert(format!("rpc {path}.{}", method.name()), text);
    }
}

fn differences(published: &BTreeMap<String, String>, ours: &BTreeMap<String, String>) -> Vec<String> {
    let things: BTreeSet<&String> = published.keys().chain(ours.keys()).collect();
    let mut lines = Vec::new();
    for thing in things {
        match (published.get(thing), ours.get(thing)) {
            (Some(one), Some(two)) if one == two => {}
            (one, two) => {
                let text = |fact: Option<&String>| fact.map_or("nothing".to_owned(), |fact| format!("`{fact}`"));
                lines.push(format!("{thing}: published {}, ours {}", text(one), text(two)));
            }
        }
    }
    lines
}
