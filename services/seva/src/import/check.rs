//! Reads a map, and checks it before any file is seen: what passes can fail only over the columns of a file.

use std::collections::BTreeSet;

use super::map::{
    self, Condition, Format, Group, Join, Key, Map, MapError, Money, Rpc, Source, Step, template_parts,
};

/// The most identities that one interaction takes.
const IDENTITIES_MAX: usize = 16;

impl Map {
    /// Reads and checks a map.
    pub(crate) fn parse(text: &str) -> Result<Map, MapError> {
        let mut map: Map =
            toml::from_str(text).map_err(|e| MapError::whole(e.to_string().trim_end().to_owned()))?;
        map.only_step()?;
        map.check()?;
        Ok(map)
    }

    /// A map without steps has one, for every row.
    fn only_step(&mut self) -> Result<(), MapError> {
        match (self.steps.is_empty(), self.fields.take(), self.rpc.take()) {
            (true, Some(fields), rpc) => {
                let log = || Source { constant: Some("log_interaction".to_owned()), ..Source::default() };
                let (name, rpc) = (String::new(), rpc.unwrap_or_else(log));
                self.steps.push(Step { name, rpc, wanted: Vec::new(), once: Vec::new(), fields });
                Ok(())
            }
            (true, None, _) => Err(MapError::at("fields", "is missing: it says what a row becomes")),
            (false, None, None) => Ok(()),
            (false, _, _) => {
                Err(MapError::at("step", "cannot stand beside rpc or fields: each step has its own"))
            }
        }
    }

    fn check(&self) -> Result<(), MapError> {
        let named = (1..=128).contains(&self.import_key.len())
            && self.import_key.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.'));
        if !named {
            return Err(MapError::at(
                "import_key",
                "should be 1 to 128 characters of a-z, 0-9, `-`, `_`, `.`",
            ));
        }
        if self.quoting.is_some() && self.format == Format::Jsonl {
            return Err(MapError::at("quoting", "is for csv and tsv"));
        }
        if matches!(&self.key, Key::Columns(columns) if columns.is_empty()) {
            return Err(MapError::at("key", "names no column"));
        }
        if self.thread.is_some() && !self.steps.iter().any(Step::logs_interactions) {
            return Err(MapError::at("thread", "is for interactions, and no row becomes one"));
        }
        conditions("require", &self.require)?;
        conditions("where", &self.wanted)?;
        unlike("join", self.joins.iter().map(|join| join.name.as_str()))?;
        self.joins.iter().try_for_each(Join::check)?;
        self.group.as_ref().map_or(Ok(()), Group::check)?;
        self.check_identities()?;
        if let [_, _, ..] = self.steps.as_slice() {
            unlike("step", self.steps.iter().map(|step| step.name.as_str()))?;
        }
        self.steps.iter().try_for_each(Step::check)
    }

    fn check_identities(&self) -> Result<(), MapError> {
        if self.identities.len() > IDENTITIES_MAX {
            return Err(MapError::at("identities", format!("are more than {IDENTITIES_MAX}")));
        }
        for identity in &self.identities {
            if map::identity_kind(&identity.kind).is_none() {
                return Err(MapError::at(
                    "identities.kind",
                    format!("`{}` is not account, handle, email or phone", identity.kind),
                ));
            }
            identity.value.check("identities.value", None)?;
        }
        Ok(())
    }
}

/// Names of one list: given, and none twice.
fn unlike<'a>(place: &str, names: impl Iterator<Item = &'a str>) -> Result<(), MapError> {
    let mut seen = BTreeSet::new();
    for name in names {
        let plain = |b: u8| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_');
        if name.is_empty() || name.len() > 32 || !name.bytes().all(plain) {
            let message = format!("has the name `{name}`: it should be 1 to 32 characters of a-z, 0-9, `_`");
            return Err(MapError::at(place, message));
        }
        if !seen.insert(name) {
            return Err(MapError::at(place, format!("`{name}` stands twice")));
        }
    }
    Ok(())
}

fn conditions(place: &str, conditions: &[Condition]) -> Result<(), MapError> {
    conditions.iter().try_for_each(|condition| condition.check(place))
}

impl Join {
    fn check(&self) -> Result<(), MapError> {
        let place = format!("join.{}", self.name);
        if self.on.is_empty() {
            return Err(MapError::at(place, "has nothing in `on`: it should say which columns are equal"));
        }
        if self.file.as_deref().is_some_and(|file| file.is_empty() || file.contains(['/', '\\'])) {
            return Err(MapError::at(place, "should name a file beside the one imported, without a path"));
        }
        conditions(&format!("{place}.where"), &self.wanted)
    }
}

impl Group {
    fn check(&self) -> Result<(), MapError> {
        if self.by.is_empty() {
            return Err(MapError::at("group.by", "names no column"));
        }
        conditions("group.where", &self.wanted)
    }
}

impl Step {
    fn check(&self) -> Result<(), MapError> {
        let rpc = if self.name.is_empty() { "rpc".to_owned() } else { format!("step.{}.rpc", self.name) };
        self.rpc.check(&rpc, Some(&|name| Rpc::named(name).is_some()))?;
        let rpcs: Vec<Rpc> = self.rpc.said().filter_map(Rpc::named).collect();
        if rpcs.is_empty() || (self.rpc.constant.is_none() && self.rpc.values.is_none()) {
            return Err(MapError::at(rpc, "needs a const, or values that say what is which RPC"));
        }
        conditions(&format!("step.{}.where", self.name), &self.wanted)?;
        let place = self.place();
        let mut given: Vec<&str> = self.fields.sources().map(|(name, _)| name).collect();
        given.extend(self.fields.amount.iter().map(|_| "amount"));
        for rpc in &rpcs {
            if let Some(missing) = rpc.fields().0.iter().find(|needed| !given.contains(needed)) {
                return Err(MapError::at(
                    format!("{place}.{missing}"),
                    format!("is missing: {} needs it", rpc.name()),
                ));
            }
        }
        let taken = |name: &&str| {
            rpcs.iter().any(|rpc| rpc.fields().0.contains(name) || rpc.fields().1.contains(name))
        };
        if let Some(idle) = given.iter().find(|name| !taken(name)) {
            return Err(MapError::at(
                format!("{place}.{idle}"),
                format!("has no use: {} does not take it", rpcs[0].name()),
            ));
        }
        for (name, source) in self.fields.sources() {
            source.check(&format!("{place}.{name}"), known(name))?;
        }
        self.fields.amount.as_ref().map_or(Ok(()), |amount| amount.check(&format!("{place}.amount")))
    }
}

/// What tells the names of a field that has a closed list of them.
fn known(field: &str) -> Option<&'static dyn Fn(&str) -> bool> {
    match field {
        "by" => Some(&|name| map::raised_by(name).is_some()),
        "channel" => Some(&|name| map::channel(name).is_some()),
        "direction" => Some(&|name| map::direction(name).is_some()),
        "kind" => Some(&|name| map::kind(name).is_some()),
        "method" => Some(&|name| map::method(name).is_some()),
        _ => None,
    }
}

impl Money {
    fn check(&self, place: &str) -> Result<(), MapError> {
        let is_currency = |code: &str| seva_domain::values::Currency::parse(code).is_some();
        self.currency.check(&format!("{place}.currency"), Some(&is_currency))?;
        self.decimal.check(&format!("{place}.decimal"), None)?;
        self.times.as_ref().map_or(Ok(()), |times| times.check(&format!("{place}.times"), None))
    }
}

impl Condition {
    fn check(&self, place: &str) -> Result<(), MapError> {
        let tests = [
            self.equals.is_some(),
            self.one_of.is_some(),
            self.not_in.is_some(),
            self.starts_with.is_some(),
            self.not_empty,
            self.integer,
        ];
        if tests.iter().filter(|test| **test).count() == 1 {
            return Ok(());
        }
        let message = format!(
            "of column `{}` needs exactly one of equals, in, not_in, starts_with, not_empty, integer",
            self.column
        );
        Err(MapError::at(place, message))
    }
}

impl Source {
    /// Checks the shape, and what the map itself says the value can be.
    fn check(&self, place: &str, known: Option<&dyn Fn(&str) -> bool>) -> Result<(), MapError> {
        let from = [
            self.constant.is_some(),
            self.column.is_some(),
            self.template.is_some(),
            self.first_of.is_some(),
        ];
        if from.iter().filter(|given| **given).count() != 1 {
            return Err(MapError::at(place, "needs exactly one of const, column, template, first_of"));
        }
        if self.constant.is_some() && (self.values.is_some() || self.default.is_some()) {
            return Err(MapError::at(place, "is constant: values and default have no use"));
        }
        if let Some(template) = &self.template {
            template_parts(template).map_err(|message| MapError::at(place, message))?;
        }
        // What a value table translates can be anything, so only the outermost table's results are names.
        let inner = if self.values.is_some() { None } else { known };
        for source in self.first_of.iter().flatten() {
            source.check(&format!("{place}.first_of"), inner)?;
        }
        if let Some(known) = known {
            for name in self.said() {
                if !known(name) {
                    return Err(MapError::at(place, format!("does not know `{name}`")));
                }
            }
        }
        Ok(())
    }
}
