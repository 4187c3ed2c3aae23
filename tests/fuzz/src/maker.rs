//! Makes messages of a type: every field set or not, with values that fit, that nearly do, and that do not at all.

use prost_reflect::{Cardinality, DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, Value};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{Rng, SeedableRng as _};

use crate::Known;
use crate::words::word;

/// How deep messages stand in messages.
const DEPTH_MAX: usize = 6;

/// Numbers at which something often ends.
const NUMBERS: [i64; 15] = [
    0,
    1,
    2,
    -1,
    99,
    100,
    1_000,
    1_700_000_000,
    1_000_000_000_000,
    253_402_300_800,
    i32::MAX as i64,
    i32::MIN as i64,
    u32::MAX as i64,
    i64::MAX,
    i64::MIN,
];

/// Makes messages. The same seed and the same answers heard make the same ones.
#[derive(Debug)]
pub struct Maker<'a> {
    rng: StdRng,
    known: &'a Known,
}

impl<'a> Maker<'a> {
    /// Begins with a seed.
    pub fn new(seed: u64, known: &'a Known) -> Maker<'a> {
        Maker { rng: StdRng::seed_from_u64(seed), known }
    }

    /// What else is left to chance.
    pub fn rng(&mut self) -> &mut StdRng {
        &mut self.rng
    }

    /// A word for a field of this name.
    pub fn word(&mut self, field: &str) -> String {
        let known = if self.rng.random_bool(0.6) { self.known.word(field, &mut self.rng) } else { None };
        known.unwrap_or_else(|| word(field, &mut self.rng))
    }

    /// A message of this type.
    pub fn message(&mut self, of: &MessageDescriptor) -> DynamicMessage {
        self.nested(of, 0)
    }

    fn nested(&mut self, of: &MessageDescriptor, depth: usize) -> DynamicMessage {
        let mut message = DynamicMessage::new(of.clone());
        // Of a choice, the last one set stays.
        for field in of.fields() {
            if self.rng.random_bool(0.8) {
                let value = self.field(&field, depth);
                message.set_field(&field, value);
            }
        }
        message
    }

    fn field(&mut self, field: &FieldDescriptor, depth: usize) -> Value {
        if field.is_map() {
            return Value::Map(Default::default());
        }
        if field.cardinality() != Cardinality::Repeated {
            return self.value(field, depth);
        }
        let many = [0, 1, 1, 2, 3, 101].choose(&mut self.rng).copied().unwrap_or_default();
        let many = if depth > 1 { many.min(3) } else { many };
        Value::List((0..many).map(|_| self.value(field, depth)).collect())
    }

    fn value(&mut self, field: &FieldDescriptor, depth: usize) -> Value {
        let number = self.number();
        match field.kind() {
            Kind::Bool => Value::Bool(number % 2 == 0),
            Kind::Bytes => Value::Bytes(self.word(field.name()).into_bytes().into()),
            Kind::Double => Value::F64(number as f64),
            Kind::Float => Value::F32(number as f32),
            Kind::Enum(kinds) => {
                let known: Vec<i32> = kinds.values().map(|value| value.number()).collect();
                let known = known.choose(&mut self.rng).copied().unwrap_or_default();
                Value::EnumNumber(if self.rng.random_bool(0.9) { known } else { number as i32 })
            }
            Kind::Fixed32 | Kind::Uint32 => Value::U32(number as u32),
            Kind::Fixed64 | Kind::Uint64 => Value::U64(number as u64),
            Kind::Int32 | Kind::Sfixed32 | Kind::Sint32 => Value::I32(number as i32),
            Kind::Int64 | Kind::Sfixed64 | Kind::Sint64 => Value::I64(number),
            Kind::Message(of) if depth < DEPTH_MAX => Value::Message(self.nested(&of, depth + 1)),
            Kind::Message(of) => Value::Message(DynamicMessage::new(of)),
            Kind::String => Value::String(self.word(field.name())),
        }
    }

    fn number(&mut self) -> i64 {
        match self.rng.random_range(0..4) {
            0 => NUMBERS.choose(&mut self.rng).copied().unwrap_or_default(),
            1 => self.rng.random(),
            _ => self.rng.random_range(0..5_000),
        }
    }
}
