//! JSON objects in which no name may appear twice.
//!
//! serde's maps silently keep the last of two equal names. A file that names a tensor twice is ambiguous, and two
//! programs could read two different models from it, so it is refused.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    fmt,
    marker::PhantomData,
};

use serde::{
    Deserialize, Deserializer,
    de::{Error, IgnoredAny, MapAccess, Visitor},
};

use super::ModelKind;

struct UniqueMap<K, V> {
    skipped: Option<&'static str>,
    entries: PhantomData<(K, V)>,
}

impl<'de, K: Name, V: Deserialize<'de>> Visitor<'de> for UniqueMap<K, V> {
    type Value = BTreeMap<K, V>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Self::Value, A::Error> {
        let mut map = BTreeMap::new();
        while let Some(name) = access.next_key::<String>()? {
            if self.skipped == Some(name.as_str()) {
                access.next_value::<IgnoredAny>()?;
                continue;
            }
            match map.entry(K::read(&name).map_err(A::Error::custom)?) {
                Entry::Vacant(place) => place.insert(access.next_value()?),
                Entry::Occupied(_) => return Err(A::Error::custom(format!("the name {name:?} appears twice"))),
            };
        }
        Ok(map)
    }
}

/// What names a value.
pub trait Name: Ord + Sized {
    /// Reads it.
    ///
    /// # Errors
    /// It is no such name, in a sentence.
    fn read(text: &str) -> Result<Self, String>;
}

impl Name for String {
    fn read(text: &str) -> Result<Self, String> {
        Ok(text.to_owned())
    }
}

impl Name for ModelKind {
    fn read(text: &str) -> Result<Self, String> {
        text.parse()
    }
}

/// For `#[serde(deserialize_with)]`: a map that refuses a name that appears twice.
pub fn map<'de, D: Deserializer<'de>, K: Name, V: Deserialize<'de>>(
    deserializer: D,
) -> Result<BTreeMap<K, V>, D::Error> {
    deserializer.deserialize_map(UniqueMap { skipped: None, entries: PhantomData })
}

/// The same, passing over one name whatever it holds.
pub fn map_without<'de, D: Deserializer<'de>, V: Deserialize<'de>>(
    deserializer: D,
    skipped: &'static str,
) -> Result<BTreeMap<String, V>, D::Error> {
    deserializer.deserialize_map(UniqueMap { skipped: Some(skipped), entries: PhantomData })
}
