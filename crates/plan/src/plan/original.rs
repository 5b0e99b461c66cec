//! Reconstructs what a ConfigMap of mesh config would hold without the operator, from what it holds now and what it held before.
//!
//! The operator writes both paths at once. So a text without its address was written by somebody else as a whole, also the switch: a
//! chart's upgrade that turns the switch on keeps it on.

use alscope_mesh_config::{self as mesh_config, MeshConfigError, Restored};

use crate::world::MeshConfigContent;

use super::step::MeshEdit;

/// The address in a text, if it is one that the operator may have written.
pub fn written_address<'a>(text: &str, addresses: &[&'a str]) -> Result<Option<&'a str>, MeshConfigError> {
    let settings = mesh_config::read(text)?;
    let found = settings.address();
    Ok(addresses.iter().find(|address| found == Some(**address)).copied())
}

/// The text without the values that the operator wrote.
pub fn without_own_values(
    text: &str,
    before: &MeshConfigContent,
    addresses: &[&str],
) -> Result<Restored, MeshConfigError> {
    if let Some(address) = written_address(text, addresses)? {
        return mesh_config::restore(text, before.text(), address);
    }
    let now = mesh_config::read(text)?;
    let then = mesh_config::read(before.text()).unwrap_or_default();
    let flag = (now.enabled != then.enabled).then_some("enableEnvoyAccessLogService");
    let service = (now.service != then.service).then_some("defaultConfig.envoyAccessLogService");
    Ok(Restored {
        text: text.to_owned(),
        kept: flag.into_iter().chain(service).map(str::to_owned).collect(),
    })
}

/// What an uninstall restores after this edit. `known` is what the backup has. It stays where the original can't be told from the
/// operator's own values.
pub fn reconstruct_original(
    edit: &MeshEdit,
    known: Option<&MeshConfigContent>,
    addresses: &[&str],
) -> MeshConfigContent {
    let Some(current) = &edit.before else {
        return match (&edit.resource_version, known) {
            (None, _) | (Some(_), Some(MeshConfigContent::ObjectAbsent)) => MeshConfigContent::ObjectAbsent,
            (Some(_), _) => MeshConfigContent::KeyAbsent,
        };
    };
    let Some(known) = known else {
        return MeshConfigContent::Text(current.clone());
    };
    match without_own_values(current, known, addresses) {
        Ok(restored) if restored.text.trim().is_empty() && !matches!(known, MeshConfigContent::Text(_)) => {
            known.clone()
        }
        Ok(restored) => MeshConfigContent::Text(restored.text),
        Err(_) => known.clone(),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use crate::world::ObjectName;

    use super::*;

    const OURS: &str = "c:11800";
    const WIRED: &str =
        "defaultConfig:\n  envoyAccessLogService:\n    address: c:11800\nenableEnvoyAccessLogService: true\n";
    const THEIRS: &str = "trustDomain: theirs\n";

    fn text(text: &str) -> MeshConfigContent {
        MeshConfigContent::Text(text.to_owned())
    }

    fn edit(before: Option<&str>, resource_version: Option<&str>) -> MeshEdit {
        MeshEdit {
            config_map: ObjectName::new("istio-system", "istio"),
            resource_version: resource_version.map(str::to_owned),
            before: before.map(str::to_owned),
            after: MeshConfigContent::Text(WIRED.to_owned()),
        }
    }

    #[rstest]
    #[case::no_object(None, None, None, MeshConfigContent::ObjectAbsent)]
    #[case::no_object_any_more(None, None, Some(text(THEIRS)), MeshConfigContent::ObjectAbsent)]
    #[case::an_object_of_the_operator(
        None,
        Some("1"),
        Some(MeshConfigContent::ObjectAbsent),
        MeshConfigContent::ObjectAbsent
    )]
    #[case::no_key(None, Some("1"), None, MeshConfigContent::KeyAbsent)]
    #[case::no_key_any_more(None, Some("1"), Some(text(THEIRS)), MeshConfigContent::KeyAbsent)]
    #[case::a_first_text(Some(THEIRS), Some("1"), None, text(THEIRS))]
    #[case::a_wired_text_without_a_backup(Some(WIRED), Some("1"), None, text(WIRED))]
    #[case::all_of_it_was_written(
        Some(WIRED),
        Some("1"),
        Some(MeshConfigContent::KeyAbsent),
        MeshConfigContent::KeyAbsent
    )]
    #[case::in_an_object_of_its_own(
        Some(WIRED),
        Some("1"),
        Some(MeshConfigContent::ObjectAbsent),
        MeshConfigContent::ObjectAbsent
    )]
    #[case::over_an_empty_text(Some(WIRED), Some("1"), Some(text("")), text(""))]
    #[case::theirs_where_no_key_was(
        Some(THEIRS),
        Some("1"),
        Some(MeshConfigContent::KeyAbsent),
        text(THEIRS)
    )]
    #[case::emptied_since(Some(""), Some("1"), Some(text(THEIRS)), text(""))]
    #[case::unreadable(Some("a: ["), Some("1"), Some(text(THEIRS)), text(THEIRS))]
    fn what_was_there_without_the_operator(
        #[case] before: Option<&str>,
        #[case] resource_version: Option<&str>,
        #[case] known: Option<MeshConfigContent>,
        #[case] expected: MeshConfigContent,
    ) {
        assert_eq!(
            reconstruct_original(&edit(before, resource_version), known.as_ref(), &[OURS]),
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
        let restored = without_own_values(now, &text(before), &[OURS]).unwrap();
        assert_eq!(restored.text, now);
        assert_eq!(restored.kept, kept);
    }

    #[test]
    fn an_address_of_before_is_the_operators_too() {
        assert_eq!(written_address(WIRED, &["old:1", OURS]), Ok(Some(OURS)));
        assert_eq!(written_address(WIRED, &["old:1"]), Ok(None));
        assert_eq!(written_address(THEIRS, &[OURS]), Ok(None));
        let restored = without_own_values(WIRED, &text(""), &["old:1", OURS]).unwrap();
        assert_eq!(restored.text, "");
    }
}
