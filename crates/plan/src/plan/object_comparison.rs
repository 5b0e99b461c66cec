//! Whether an object in the cluster has everything that an apply would write. The API server adds defaults, so other fields do not
//! count; it removes what is empty, and writes quantities in its own form.

use serde_json::Value;

/// Fields of a pod that the API server leaves out if they are `false` or an empty text.
const OMITTED_WHEN_ZERO: [&str; 6] = ["fsType", "medium", "readOnly", "subPath", "subPathExpr", "value"];

/// Whether `actual` has everything that `wanted` has.
pub fn contains(wanted: &Value, actual: &Value) -> bool {
    match (wanted, actual) {
        (Value::Object(wanted), Value::Object(actual)) => wanted.iter().all(|(key, value)| {
            let actual = actual.get(key).unwrap_or(&Value::Null);
            match key.as_str() {
                "requests" | "limits" => contains_quantities(value, actual),
                "sizeLimit" | "divisor" => is_same(value, actual),
                // With two families, Kubernetes adds the second.
                "ipFamilies" => is_beginning(value, actual),
                name if OMITTED_WHEN_ZERO.contains(&name) && actual.is_null() => is_zero(value),
                _ => contains(value, actual),
            }
        }),
        (Value::Array(wanted), Value::Array(actual)) => {
            wanted.len() == actual.len()
                && wanted
                    .iter()
                    .zip(actual)
                    .all(|(wanted, actual)| contains(wanted, actual))
        }
        (wanted, Value::Null) => is_empty(wanted),
        (wanted, actual) => wanted == actual,
    }
}

fn is_zero(value: &Value) -> bool {
    is_empty(value) || *value == Value::Bool(false) || value.as_str() == Some("")
}

fn is_beginning(wanted: &Value, actual: &Value) -> bool {
    match (wanted, actual) {
        (Value::Array(wanted), Value::Array(actual)) => actual.starts_with(wanted),
        (wanted, _) => is_empty(wanted),
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(entries) => entries.values().all(is_empty),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

fn contains_quantities(wanted: &Value, actual: &Value) -> bool {
    match (wanted, actual) {
        (Value::Object(wanted), Value::Object(actual)) => wanted
            .iter()
            .all(|(name, value)| actual.get(name).is_some_and(|actual| is_same(value, actual))),
        (wanted, actual) => contains(wanted, actual),
    }
}

fn is_same(wanted: &Value, actual: &Value) -> bool {
    wanted == actual
        || match (nanos(wanted), nanos(actual)) {
            (Some(wanted), Some(actual)) => wanted == actual,
            _ => false,
        }
}

/// A quantity in billionths, by the suffixes of Kubernetes (`apimachinery/pkg/api/resource`).
fn nanos(quantity: &Value) -> Option<i128> {
    const NANO: i128 = 1_000_000_000;
    let text = match quantity {
        Value::String(text) => text.trim().to_owned(),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    let digits = text
        .find(|character: char| !matches!(character, '0'..='9' | '.' | '+' | '-'))
        .unwrap_or(text.len());
    let (number, suffix) = text.split_at_checked(digits)?;
    let unit = match suffix {
        "n" => 1,
        "u" => 1_000,
        "m" => 1_000_000,
        "" => NANO,
        "k" => 1_000 * NANO,
        "M" => 1_000_000 * NANO,
        "G" => 1_000_000_000 * NANO,
        "T" => 1_000_000_000_000 * NANO,
        "Ki" => (1 << 10) * NANO,
        "Mi" => (1 << 20) * NANO,
        "Gi" => (1 << 30) * NANO,
        "Ti" => (1 << 40) * NANO,
        // Rarer ones, exponents among them, are equal when their texts are.
        _ => return None,
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let whole: i128 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let scale = 10_i128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    let fraction: i128 = if fraction.is_empty() {
        0
    } else {
        fraction.parse().ok()?
    };
    let thousandths = whole
        .checked_mul(scale)?
        .checked_add(fraction)?
        .checked_mul(unit)?;
    (thousandths % scale == 0).then_some(thousandths / scale)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    #[rstest]
    #[case::defaults_are_added(json!({"a": 1}), json!({"a": 1, "b": 2}), true)]
    #[case::another_value(json!({"a": 1}), json!({"a": 2}), false)]
    #[case::a_missing_field(json!({"a": {"b": 1}}), json!({"a": {}}), false)]
    #[case::empty_is_dropped(json!({"a": {}, "b": []}), json!({}), true)]
    #[case::false_is_not_empty(json!({"a": false}), json!({}), false)]
    #[case::defaults_within_items(json!([{"port": 1}]), json!([{"port": 1, "protocol": "TCP"}]), true)]
    #[case::an_item_too_many(json!([1]), json!([1, 2]), false)]
    #[case::another_order(json!([1, 2]), json!([2, 1]), false)]
    #[case::a_quantity_in_other_words(json!({"requests": {"cpu": "0.5", "memory": "1Gi"}}), json!({"requests": {"cpu": "500m", "memory": "1024Mi"}}), true)]
    #[case::nano_units(json!({"limits": {"cpu": "5000000n"}}), json!({"limits": {"cpu": "5m"}}), true)]
    #[case::thousands(json!({"limits": {"cpu": "1k"}}), json!({"limits": {"cpu": "1000"}}), true)]
    #[case::a_number_as_quantity(json!({"limits": {"cpu": 2}}), json!({"limits": {"cpu": "2"}}), true)]
    #[case::another_quantity(json!({"limits": {"cpu": "1"}}), json!({"limits": {"cpu": "1m"}}), false)]
    #[case::a_decimal_unit_is_not_a_binary_one(json!({"limits": {"memory": "1M"}}), json!({"limits": {"memory": "1Mi"}}), false)]
    #[case::quantities_only_where_they_stand(json!({"version": "1000m"}), json!({"version": "1"}), false)]
    #[case::an_empty_object_within(json!({"a": {"b": [], "c": null}}), json!({}), true)]
    #[case::a_number_is_not_empty(json!({"a": 0}), json!({}), false)]
    #[case::a_text_is_not_empty(json!({"a": ""}), json!({}), false)]
    #[case::no_requests(json!({"requests": {}}), json!({}), true)]
    #[case::requests_that_are_not_there(json!({"requests": {"cpu": "1"}}), json!({}), false)]
    #[case::a_size_in_other_words(json!({"sizeLimit": "0.5Gi"}), json!({"sizeLimit": "512Mi"}), true)]
    #[case::another_size(json!({"sizeLimit": "1Gi"}), json!({"sizeLimit": "512Mi"}), false)]
    #[case::a_divisor_in_other_words(json!({"divisor": "1000m"}), json!({"divisor": "1"}), true)]
    #[case::a_family_is_added(json!({"ipFamilies": ["IPv6"]}), json!({"ipFamilies": ["IPv6", "IPv4"]}), true)]
    #[case::another_family(json!({"ipFamilies": ["IPv6"]}), json!({"ipFamilies": ["IPv4", "IPv6"]}), false)]
    #[case::no_family(json!({"ipFamilies": ["IPv6"]}), json!({}), false)]
    #[case::a_variable_without_a_value(json!({"value": ""}), json!({}), true)]
    #[case::a_variable_that_lost_its_value(json!({"value": "a"}), json!({}), false)]
    #[case::a_mount_that_may_be_written(json!({"readOnly": false}), json!({}), true)]
    #[case::a_mount_that_must_not_be_written(json!({"readOnly": true}), json!({}), false)]
    #[case::a_mount_that_is_not_written_any_more(json!({"readOnly": false}), json!({"readOnly": true}), false)]
    #[case::a_request_that_is_not_there(json!({"requests": {"cpu": "1"}}), json!({"requests": {"memory": "1"}}), false)]
    fn what_is_wanted_counts(#[case] wanted: Value, #[case] actual: Value, #[case] expected: bool) {
        assert_eq!(contains(&wanted, &actual), expected);
    }

    #[rstest]
    #[case::nano("1000000000n", "1", true)]
    #[case::micro("1000000u", "1", true)]
    #[case::milli("1000m", "1", true)]
    #[case::kilo("1k", "1000", true)]
    #[case::mega("1M", "1000000", true)]
    #[case::giga("1G", "1000000000", true)]
    #[case::tera("1T", "1000000000000", true)]
    #[case::kibi("1Ki", "1024", true)]
    #[case::mebi("1Mi", "1048576", true)]
    #[case::gibi("1Gi", "1073741824", true)]
    #[case::tebi("1Ti", "1099511627776", true)]
    #[case::a_fraction("1.25", "1250m", true)]
    #[case::a_fraction_alone(".5", "500m", true)]
    #[case::a_point_alone("1.", "1", true)]
    #[case::another_fraction("1.25", "1.205", false)]
    #[case::less_than_a_billionth("0.0000000001", "0", false)]
    #[case::rare_and_the_same("1Pi", "1Pi", true)]
    #[case::rare_and_another("1Pi", "1Ei", false)]
    #[case::no_quantity("x", "y", false)]
    fn quantities_are_the_same(#[case] wanted: &str, #[case] actual: &str, #[case] expected: bool) {
        assert_eq!(is_same(&json!(wanted), &json!(actual)), expected);
        assert_eq!(is_same(&json!(actual), &json!(wanted)), expected);
    }

    #[test]
    fn a_list_is_no_quantity() {
        assert!(is_same(&json!([1]), &json!([1])));
        assert!(!is_same(&json!([1]), &json!([2])));
        assert!(!is_same(&json!(1), &json!([1])));
    }
}
