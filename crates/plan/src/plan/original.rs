//! Reconstructs what a ConfigMap of mesh config would hold without the operator, from what it holds now and what it held before.
//!
//! The operator writes both paths of the switch at once. So a text without its address was written by somebody else as a whole, also the
//! switch: a chart's upgrade that turns the switch on keeps it on.

use alscope_mesh_config::{
    self as mesh_config, AccessLogSettings, MeshConfigError, ProviderWiring, Restored,
};

use crate::world::{Backup, MeshConfigContent, ObjectName};

use super::step::MeshEdit;

/// istiod's own provider for the file of `accessLogFile`.
const FILE_PROVIDER: &str = "envoy";

/// What a ConfigMap held before the operator wrote it.
#[derive(Clone, Copy, Debug)]
pub struct Original<'a> {
    /// The key `mesh`.
    pub content: &'a MeshConfigContent,
    /// What the mesh logged to where the text lists no provider; absent if the operator has not written a provider into it.
    pub inherited: Option<&'a [String]>,
}

impl<'a> Original<'a> {
    /// The original that a backup has of a ConfigMap.
    pub fn of(backup: &'a Backup, config_map: &ObjectName) -> Option<Self> {
        Some(Self {
            content: backup.originals.get(config_map)?,
            inherited: backup.inherited.get(config_map).map(Vec::as_slice),
        })
    }
}

/// The provider for the file that proxies log to where no provider is listed.
pub fn file_provider(settings: &AccessLogSettings) -> Vec<String> {
    let has_file = settings
        .access_log_file
        .as_ref()
        .is_some_and(|file| !file.is_empty());
    has_file.then(|| FILE_PROVIDER.to_owned()).into_iter().collect()
}

/// The host and port of an address.
pub fn host_and_port(address: &str) -> (&str, u16) {
    let (host, port) = address.rsplit_once(':').unwrap_or((address, ""));
    (host, port.parse().unwrap_or_default())
}

/// Which of the addresses a text has in the switch's address, if it is one that the operator may have written.
pub fn switch_address<'a>(settings: &AccessLogSettings, addresses: &[&'a str]) -> Option<&'a str> {
    let found = settings.address();
    addresses.iter().find(|address| found == Some(**address)).copied()
}

/// Which of the addresses the provider of a text streams to.
pub fn provider_address<'a>(settings: &AccessLogSettings, addresses: &[&'a str]) -> Option<&'a str> {
    let streams_to = |address: &&&str| {
        let (host, port) = host_and_port(address);
        settings.streams_by_provider(host, port)
    };
    addresses.iter().find(streams_to).copied()
}

/// The text without the values that the operator wrote.
pub fn without_own_values(
    text: &str,
    before: Original<'_>,
    addresses: &[&str],
) -> Result<Restored, MeshConfigError> {
    let settings = mesh_config::read(text)?;
    let mut restored = without_provider(text, &settings, before, addresses)?;
    if let Some(address) = switch_address(&settings, addresses) {
        let next = mesh_config::restore(&restored.text, before.content.text(), address)?;
        restored.text = next.text;
        restored.kept.extend(next.kept);
    } else if before.inherited.is_none() {
        let then = mesh_config::read(before.content.text()).unwrap_or_default();
        let flag = (settings.enabled != then.enabled).then_some("enableEnvoyAccessLogService");
        let service = (settings.service != then.service).then_some("defaultConfig.envoyAccessLogService");
        restored
            .kept
            .extend(flag.into_iter().chain(service).map(str::to_owned));
    }
    Ok(restored)
}

/// The text without the provider that the operator wrote.
pub fn without_provider(
    text: &str,
    settings: &AccessLogSettings,
    before: Original<'_>,
    addresses: &[&str],
) -> Result<Restored, MeshConfigError> {
    let (Some(address), Some(inherited)) = (provider_address(settings, addresses), before.inherited) else {
        return Ok(Restored {
            text: text.to_owned(),
            kept: Vec::new(),
        });
    };
    let (service, port) = host_and_port(address);
    let wiring = ProviderWiring {
        service,
        port,
        inherited: Some(inherited),
    };
    mesh_config::remove_provider(text, before.content.text(), &wiring)
}

/// What an uninstall restores after this edit. `known` is what the backup has. It stays where the original can't be told from the
/// operator's own values.
pub fn reconstruct_original(
    edit: &MeshEdit,
    known: Option<Original<'_>>,
    addresses: &[&str],
) -> MeshConfigContent {
    let content = known.map(|known| known.content);
    let Some(current) = &edit.before else {
        return match (&edit.resource_version, content) {
            (None, _) | (Some(_), Some(MeshConfigContent::ObjectAbsent)) => MeshConfigContent::ObjectAbsent,
            (Some(_), _) => MeshConfigContent::KeyAbsent,
        };
    };
    let Some(known) = known else {
        return MeshConfigContent::Text(current.clone());
    };
    match without_own_values(current, known, addresses) {
        Ok(restored)
            if restored.text.trim().is_empty() && !matches!(known.content, MeshConfigContent::Text(_)) =>
        {
            known.content.clone()
        }
        Ok(restored) => MeshConfigContent::Text(restored.text),
        Err(_) => known.content.clone(),
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

    /// The operator wrote only the switch.
    fn by_switch(content: &MeshConfigContent) -> Original<'_> {
        Original {
            content,
            inherited: None,
        }
    }

    fn edit(before: Option<&str>, resource_version: Option<&str>) -> MeshEdit {
        MeshEdit {
            config_map: ObjectName::new("istio-system", "istio"),
            resource_version: resource_version.map(str::to_owned),
            before: before.map(str::to_owned),
            after: MeshConfigContent::Text(WIRED.to_owned()),
            inherited: None,
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
            reconstruct_original(
                &edit(before, resource_version),
                known.as_ref().map(by_switch),
                &[OURS]
            ),
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
        let restored = without_own_values(now, by_switch(&text(before)), &[OURS]).unwrap();
        assert_eq!(restored.text, now);
        assert_eq!(restored.kept, kept);
    }

    #[test]
    fn an_address_of_before_is_the_operators_too() {
        let found =
            |text, addresses: &[&'static str]| switch_address(&mesh_config::read(text).unwrap(), addresses);
        assert_eq!(found(WIRED, &["old:1", OURS]), Some(OURS));
        assert_eq!(found(WIRED, &["old:1"]), None);
        assert_eq!(found(THEIRS, &[OURS]), None);
        let nothing = text("");
        let restored = without_own_values(WIRED, by_switch(&nothing), &["old:1", OURS]).unwrap();
        assert_eq!(restored.text, "");
    }
}
