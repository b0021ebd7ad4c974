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

struct UniqueMap<V> {
    skipped: Option<&'static str>,
    values: PhantomData<V>,
}

impl<'de, V: Deserialize<'de>> Visitor<'de> for UniqueMap<V> {
    type Value = BTreeMap<String, V>;

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
            match map.entry(name) {
                Entry::Vacant(place) => place.insert(access.next_value()?),
                Entry::Occupied(first) => {
                    return Err(A::Error::custom(format!("the name {:?} appears twice", first.key())));
                }
            };
        }
        Ok(map)
    }
}

/// For `#[serde(deserialize_with)]`: a map that refuses a name that appears twice.
pub fn map<'de, D: Deserializer<'de>, V: Deserialize<'de>>(deserializer: D) -> Result<BTreeMap<String, V>, D::Error> {
    deserializer.deserialize_map(UniqueMap { skipped: None, values: PhantomData })
}

/// The same, passing over one name whatever it holds.
pub fn map_without<'de, D: Deserializer<'de>, V: Deserialize<'de>>(
    deserializer: D,
    skipped: &'static str,
) -> Result<BTreeMap<String, V>, D::Error> {
    deserializer.deserialize_map(UniqueMap { skipped: Some(skipped), values: PhantomData })
}
