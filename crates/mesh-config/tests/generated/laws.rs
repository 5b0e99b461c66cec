//! What holds for any text, mesh config or not. Whether only the two paths differ is judged by another reader: the texts as
//! values of `serde-saphyr`, with both paths taken out of each.

use alscope_mesh_config::{
    MeshConfigError, Path, Segment, Value as Written, holds, insert, is_wired, merged, read, remove, restore,
    wire,
};
use serde_json::Value;

pub(crate) const ADDRESS: &str = "alscope.alscope-system.svc:11800";

/// A key in an item of a list.
const PROVIDER: Path<'_> = Path(&[
    Segment::Key("extensionProviders"),
    Segment::Item("alscope"),
    Segment::Key("envoyHttpAls"),
]);

/// Checks all that holds for `text`, and returns it wired.
pub(crate) fn check(text: &str) -> Result<String, MeshConfigError> {
    check_provider(text);
    let settings = read(text);
    let wired = wire(text, ADDRESS);
    let (settings, wired) = match (settings, wired) {
        (Ok(settings), Ok(wired)) => (settings, wired),
        (_, Err(error)) => return Err(error),
        (Err(error), Ok(wired)) => panic!("{text:?} becomes {wired:?}, but reading it is refused: {error}"),
    };
    let after = read(&wired).expect("what was written can be read");
    assert!(after.stream_to(ADDRESS), "{text:?} becomes {wired:?}");
    assert_eq!(is_wired(text, ADDRESS), Ok(wired == text), "{text:?}");
    assert_eq!(after.access_logging_providers, settings.access_logging_providers);
    assert_eq!(after.extension_providers, settings.extension_providers);
    assert_eq!(merged(&settings, &after), after);
    assert_eq!(wire(&wired, ADDRESS).as_ref(), Ok(&wired), "{text:?}");
    assert_only_the_paths_differ(text, &wired);
    let restored = restore(&wired, text, ADDRESS).expect("what was written can be taken back");
    assert_eq!(restored.text, text, "from {wired:?}");
    assert_eq!(restored.kept.len(), 0, "{text:?}");
    Ok(wired)
}

/// A value that can be inserted is there afterwards, is not inserted twice, and leaves nothing when it is removed.
fn check_provider(text: &str) {
    let value = Written::Mapping(vec![
        ("service".to_owned(), Written::Text("alscope.svc".to_owned())),
        ("port".to_owned(), Written::Number(11_800)),
    ]);
    let Ok(inserted) = insert(text, PROVIDER, &value) else {
        return;
    };
    assert_eq!(
        holds(&inserted, PROVIDER, &value),
        Ok(true),
        "{text:?} becomes {inserted:?}"
    );
    assert_eq!(
        insert(&inserted, PROVIDER, &value).as_ref(),
        Ok(&inserted),
        "{text:?}"
    );
    let removed = remove(&inserted, text, PROVIDER, &value).expect("what was inserted can be removed");
    assert_eq!(
        (removed.text.as_str(), removed.kept.len()),
        (text, 0),
        "from {inserted:?}"
    );
}

pub(crate) fn assert_only_the_paths_differ(one: &str, other: &str) {
    if let (Some(before), Some(after)) = (without_the_paths(one), without_the_paths(other)) {
        assert_eq!(before, after, "{one:?} and {other:?}");
    }
}

/// `None` when the other reader does not take the text, or may take it otherwise than istiod does: to it, a text block at the
/// end of a text ends with a line break even when there is none.
fn without_the_paths(text: &str) -> Option<Value> {
    if !text.ends_with(['\n', '\r']) && text.contains(['|', '>']) {
        return None;
    }
    let mut value = serde_saphyr::from_str::<Option<Value>>(text).ok()?;
    let root = value.get_or_insert(Value::Null);
    if root.is_null() {
        *root = Value::Object(serde_json::Map::new());
    }
    let root = root.as_object_mut()?;
    root.remove("enableEnvoyAccessLogService");
    let proxy = root.remove("defaultConfig").unwrap_or(Value::Null);
    let mut proxy = if proxy.is_null() {
        serde_json::Map::new()
    } else {
        proxy.as_object()?.clone()
    };
    proxy.remove("envoyAccessLogService");
    Some(Value::Array(vec![
        Value::Object(root.clone()),
        Value::Object(proxy),
    ]))
}
