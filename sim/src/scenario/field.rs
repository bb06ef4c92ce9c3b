//! Types that a field of a scenario can have.

use std::collections::BTreeMap;

use firmware::Duration;
use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};

use super::units::{Bytes, Civil, Drift, Energy, Frequency, Quantity, Rate, Ratio};

/// A type that a field of a scenario can have.
pub trait Field: Sized {
    /// Writes the value as the scenario language would.
    fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error>;
}

/// Serialises a field, for derived implementations.
pub fn serialize<T: Field, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
    value.write(serializer)
}

/// Lends a field to a serialiser.
struct Shown<'a, T>(&'a T);

impl<T: Field> Serialize for Shown<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.write(serializer)
    }
}

impl<T: Field> Field for Vec<T> {
    fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut sequence = serializer.serialize_seq(Some(self.len()))?;
        for element in self {
            sequence.serialize_element(&Shown(element))?;
        }
        sequence.end()
    }
}

impl<T: Field> Field for Option<T> {
    fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Some(value) => serializer.serialize_some(&Shown(value)),
            None => serializer.serialize_none(),
        }
    }
}

impl<T: Field> Field for BTreeMap<String, T> {
    fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.len()))?;
        for (name, value) in self {
            map.serialize_entry(name, &Shown(value))?;
        }
        map.end()
    }
}

macro_rules! quantity_field {
    ($($quantity:ty),*) => {$(
        impl Field for $quantity {
            fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.to_text())
            }
        }
    )*};
}

quantity_field!(
    Duration, Ratio, Rate, Bytes, Drift, Energy, Frequency, Civil
);

macro_rules! plain_field {
    ($($plain:ty),*) => {$(
        impl Field for $plain {
            fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                self.serialize(serializer)
            }
        }
    )*};
}

plain_field!(u8, u16, u32, u64, f64, bool, String);
