//! What a ConfigMap of mesh config would hold without the operator, told from what it holds now and what it held before.
//!
//! Both paths are written at once, so a text without an address of the operator's is wholly somebody else's, its switch
//! included: a chart's upgrade that turns the switch on itself keeps it.

use alscope_mesh_config::{self as mesh_config, MeshConfigError, Restored};

use crate::world::Before;

use super::step::MeshEdit;

/// Which of the addresses that the operator may have written stands in a text.
pub fn written<'a>(text: &str, addresses: &[&'a str]) -> Result<Option<&'a str>, MeshConfigError> {
    let settings = mesh_config::read(text)?;
    let found = settings.address();
    Ok(addresses.iter().find(|address| found == Some(**address)).copied())
}

/// A text without what is the operator's own in it.
pub fn restored(text: &str, before: &Before, addresses: &[&str]) -> Result<Restored, MeshConfigError> {
    if let Some(address) = written(text, addresses)? {
        return mesh_config::restore(text, before.text(), address);
    }
    let now = mesh_config::read(text)?;
    let then = mesh_config::read(before.text()).unwrap_or_default();
    let flag = (now.enabled != then.enabled).then_some("enableEnvoyAccessLogService");
    let service = (now.service != then.service).then_some("defaultConfig.envoyAccessLogService");
    Ok(Restored {
        text: text.to_owned(),
        kept: flag.into_iter().chain(service).collect(),
    })
}

/// What is to be restored after an edit. `known` is what the backup has; what can't be told apart from the operator's own
/// stays what it was.
pub fn original(edit: &MeshEdit, known: Option<&Before>, addresses: &[&str]) -> Before {
    let Some(current) = &edit.before else {
        return match (&edit.resource_version, known) {
            (None, _) | (Some(_), Some(Before::ObjectAbsent)) => Before::ObjectAbsent,
            (Some(_), _) => Before::KeyAbsent,
        };
    };
    let Some(known) = known else {
        return Before::Text(current.clone());
    };
    match restored(current, known, addresses) {
        Ok(restored) if restored.text.trim().is_empty() && !matches!(known, Before::Text(_)) => known.clone(),
        Ok(restored) => Before::Text(restored.text),
        Err(_) => known.clone(),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use crate::world::ObjectName;

    use super::super::step::After;
    use super::*;

    const OURS: &str = "c:11800";
    const WIRED: &str =
        "defaultConfig:\n  envoyAccessLogService:\n    address: c:11800\nenableEnvoyAccessLogService: true\n";
    const THEIRS: &str = "trustDomain: theirs\n";

    fn text(text: &str) -> Before {
        Before::Text(text.to_owned())
    }

    fn edit(before: Option<&str>, resource_version: Option<&str>) -> MeshEdit {
        MeshEdit {
            config_map: ObjectName::new("istio-system", "istio"),
            resource_version: resource_version.map(str::to_owned),
            before: before.map(str::to_owned),
            after: After::Text(WIRED.to_owned()),
        }
    }

    #[rstest]
    #[case::no_object(None, None, None, Before::ObjectAbsent)]
    #[case::no_object_any_more(None, None, Some(text(THEIRS)), Before::ObjectAbsent)]
    #[case::an_object_of_the_operator(None, Some("1"), Some(Before::ObjectAbsent), Before::ObjectAbsent)]
    #[case::no_key(None, Some("1"), None, Before::KeyAbsent)]
    #[case::no_key_any_more(None, Some("1"), Some(text(THEIRS)), Before::KeyAbsent)]
    #[case::a_first_text(Some(THEIRS), Some("1"), None, text(THEIRS))]
    #[case::a_wired_text_without_a_backup(Some(WIRED), Some("1"), None, text(WIRED))]
    #[case::all_of_it_was_written(Some(WIRED), Some("1"), Some(Before::KeyAbsent), Before::KeyAbsent)]
    #[case::in_an_object_of_its_own(Some(WIRED), Some("1"), Some(Before::ObjectAbsent), Before::ObjectAbsent)]
    #[case::over_an_empty_text(Some(WIRED), Some("1"), Some(text("")), text(""))]
    #[case::theirs_where_no_key_was(Some(THEIRS), Some("1"), Some(Before::KeyAbsent), text(THEIRS))]
    #[case::emptied_since(Some(""), Some("1"), Some(text(THEIRS)), text(""))]
    #[case::unreadable(Some("a: ["), Some("1"), Some(text(THEIRS)), text(THEIRS))]
    fn what_was_there_without_the_operator(
        #[case] before: Option<&str>,
        #[case] resource_version: Option<&str>,
        #[case] known: Option<Before>,
        #[case] expected: Before,
    ) {
        assert_eq!(
            original(&edit(before, resource_version), known.as_ref(), &[OURS]),
            expected
        );
    }

    #[rstest]
    #[case::the_same(THEIRS, THEIRS, &[])]
    #[case::a_switch("enableEnvoyAccessLogService: true\n", THEIRS, &["enableEnvoyAccessLogService"])]
    #[case::an_address(
        "defaultConfig:\n  envoyAccessLogService:\n    address: d:1\n",
        THEIRS,
        &["defaultConfig.envoyAccessLogService"]
    )]
    #[case::a_switch_that_was_there("enableEnvoyAccessLogService: true\n", "enableEnvoyAccessLogService: true\n", &[])]
    #[case::after_an_unreadable_text("enableEnvoyAccessLogService: false\n", "a: [", &["enableEnvoyAccessLogService"])]
    fn a_text_without_the_address_stays_whole(
        #[case] now: &str,
        #[case] before: &str,
        #[case] kept: &[&'static str],
    ) {
        let restored = restored(now, &text(before), &[OURS]).unwrap();
        assert_eq!((restored.text.as_str(), restored.kept.as_slice()), (now, kept));
    }

    #[test]
    fn an_address_of_before_is_the_operators_too() {
        assert_eq!(written(WIRED, &["old:1", OURS]), Ok(Some(OURS)));
        assert_eq!(written(WIRED, &["old:1"]), Ok(None));
        assert_eq!(written(THEIRS, &[OURS]), Ok(None));
        let restored = restored(WIRED, &text(""), &["old:1", OURS]).unwrap();
        assert_eq!(restored.text, "");
    }
}
