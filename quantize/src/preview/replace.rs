//! A manifest without one of its models.

use showo::bundle::{Manifest, ModelKind};

/// The manifest without a model, its tensors and its shards; the other shards move up. Where there is none, it stays as it is.
pub fn without(mut manifest: Manifest, kind: ModelKind) -> Manifest {
    let Some(gone) = manifest.models.remove(&kind).map(|model| model.shards) else { return manifest };
    let place = |shard: usize| shard - gone.iter().filter(|gone| **gone < shard).count();
    manifest.tensors.retain(|key, _| key.split_once('/').is_none_or(|(of, _)| of != kind.word()));
    manifest.tensors.values_mut().for_each(|tensor| tensor.shard = place(tensor.shard));
    manifest.models.values_mut().flat_map(|model| &mut model.shards).for_each(|shard| *shard = place(*shard));
    let mut index = 0..;
    manifest.shards.retain(|_| index.next().is_some_and(|index| !gone.contains(&index)));
    manifest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_others_keep_their_files() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../www/models/icons/manifest.json");
        let whole = Manifest::parse(&std::fs::read(path).unwrap()).unwrap();
        // Its one shard lies between those of others.
        let manifest = without(without(whole.clone(), ModelKind::Magvit), ModelKind::Clip);
        manifest.validate().unwrap();
        assert_eq!(manifest.models.len() + 1, whole.models.len());
        let file = |manifest: &Manifest, key: &str| manifest.shards[manifest.tensors[key].shard].file.clone();
        for (key, _) in manifest.tensors.iter() {
            assert_eq!(file(&manifest, key), file(&whole, key), "{key}");
        }
        assert!(!manifest.shards.iter().any(|shard| shard.file.starts_with("magvit")));
    }
}
