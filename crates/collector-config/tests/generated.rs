//! Holds docs/configuration.md to the tables of settings.
//!
//! `make gen` runs this test with `ALSCOPE_REGENERATE=1`, which writes the page instead of comparing it.

use std::path::{Path, PathBuf};
use std::{env, fs};

use alscope_collector_config::{MAPPINGS, Mapping, Setting, settings};

const HEAD: &str = "<!-- Generated from crates/collector-config/src by `make gen`: change it there. -->

# Configuration of the collector

The collector reads one YAML file, once, at start. `alscope-collector check FILE` prints what would run with it, or what is wrong. An
unknown key or a bad value is an error that names the file, the line and the remedy. Only `directory` is required:

```yaml
directory: { kubernetes: {} }
analysis: { http: \"k8s-mesh\", tcp: \"k8s-mesh\" }
```

The operator writes this file by itself. Each key but those of `listen` and `directory` is a field of a `MeshObservability`: those of
`analysis` are in `spec.analysis`, all others in `spec.collector`; see [Install on your cluster](install.md). The [glossary](glossary.md)
explains the words that Alscope uses in a sense of its own.

## Where a value comes from

The collector takes a value from the first of these places that has it:

1. the key in the file
2. SkyWalking's key in the file's section `envoy-metric`, which is written as in SkyWalking's `application.yml`
3. SkyWalking's environment variable
4. the default

Any value in the file may hold placeholders. `${NAME}` is an environment variable. `${NAME:default}` has a default for a variable that is
not set, and the default may hold placeholders itself. A variable that is not set and has no default is an error. Quotes around a whole
value with placeholders are removed, so `${NAME:\"\"}` is an empty text. `${…}` around anything but a variable's name is left as it is,
because naming rules are written so.

## Naming rules

A naming rule is a template in SkyWalking's form, such as
`mesh::${service.metadata.labels.(app.kubernetes.io/name),pod.metadata.labels.app}.${pod.metadata.namespace}`. A variable `${…}` holds
paths between commas. The first path that has a value gives it; if none has one, `-` stands there. A path is an object followed by
`.metadata.name`, `.metadata.namespace`, `.metadata.labels.KEY` or `.metadata.annotations.KEY`; a KEY with dots stands in parentheses. If a
pod lacks the label `service.istio.io/canonical-name`, the collector takes Istio's own fall-back: the app, or else the workload.

A pod has one name, whichever of its ports is called. A Service's own address is named as the Service's pods are, with the Service's name
as their canonical name. A party that is not found is `unknown`. When a label changes, calls that started before keep their old name.
";

const SKYWALKING: &str = "
## Settings of SkyWalking

A user of SkyWalking may keep the section `envoy-metric` in the file, the environment variables, or both. `alscope-collector check
application.yml` takes SkyWalking's own file, as a whole or in part, and prints the effect of each value in it.

SkyWalking receives access logs on the first of three listeners that has a port: the one of `envoy-metric`, the one of
`receiver-sharing-server`, the one of `core`. The settings of the other two have no effect, in SkyWalking or here. Settings outside of
`envoy-metric` are read from environment variables only. At start the collector logs each setting that it ignores although it differs
from SkyWalking's default.

| SkyWalking's key | environment variable | SkyWalking's default | here |
|---|---|---|---|
";

#[test]
fn page_is_what_the_tables_say() {
    let page = page();
    if env::var_os("ALSCOPE_REGENERATE").is_some() {
        fs::write(path(), &page).expect("the page is writable");
    }
    let present = fs::read_to_string(path()).expect("the page is readable");
    assert!(
        present == page,
        "docs/configuration.md is not up to date: run `make gen`"
    );
}

#[test]
fn meanings_are_sentences() {
    for setting in settings() {
        let meaning = setting.meaning;
        assert!(
            meaning.ends_with('.') && !meaning.contains("  ") && !meaning.contains('|'),
            "{meaning}"
        );
    }
    for mapping in MAPPINGS {
        let meaning = mapping.meaning();
        assert!(
            !meaning.ends_with('.') && !meaning.contains("  ") && !meaning.contains('|'),
            "{meaning}"
        );
    }
}

#[test]
fn every_key_that_skywalking_sets_is_a_key() {
    for key in MAPPINGS.iter().filter_map(Mapping::sets) {
        assert!(Setting::find(key).is_some(), "{key}");
    }
}

fn path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/configuration.md")
}

fn page() -> String {
    let mut page = HEAD.to_owned();
    let mut section = "";
    for setting in settings() {
        let of_the_setting = setting.key.split('.').next().unwrap_or_default();
        if of_the_setting != section {
            section = of_the_setting;
            page.extend(["\n## `", section, "`\n\n"]);
            page.push_str("| key | type | default | environment variable | SkyWalking's key | meaning |\n");
            page.push_str("|---|---|---|---|---|---|\n");
        }
        page.push_str(&row(setting));
    }
    page.push_str(SKYWALKING);
    page.extend(MAPPINGS.iter().map(mapping_row));
    page
}

fn mapping_row(mapping: &Mapping) -> String {
    let (key, variable, shipped) = (mapping.key, mapping.variable, code(mapping.shipped));
    format!("| `{key}` | `{variable}` | {shipped} | {} |\n", mapping.meaning())
}

fn row(setting: &Setting) -> String {
    let mapping: Vec<&Mapping> = MAPPINGS
        .iter()
        .filter(|mapping| mapping.sets() == Some(setting.key) && mapping.is_of_the_section())
        .collect();
    let variables: Vec<String> = mapping.iter().map(|mapping| code(mapping.variable)).collect();
    let keys: Vec<String> = mapping
        .iter()
        .map(|mapping| code(mapping.key.rsplit('.').next().unwrap_or_default()))
        .collect();
    let default = match setting.default_value().unwrap_or_default() {
        _ if setting.key == "directory" => String::new(),
        words if words == "none" || words == "one for each core" => words,
        value => code(&value),
    };
    format!(
        "| `{}` | {} | {default} | {} | {} | {} |\n",
        setting.key,
        setting.kind(),
        variables.join(" "),
        keys.join(" "),
        setting.meaning
    )
}

fn code(text: &str) -> String {
    if text.is_empty() {
        return String::new();
    }
    format!("`{text}`")
}
