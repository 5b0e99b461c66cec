//! Whether an object in the cluster holds all that is wanted of it. The API server adds defaults, so only what is wanted
//! counts; it drops what is empty, and writes quantities in its own way.

use serde_json::Value;

/// Whether `actual` holds everything in `wanted`.
pub fn holds(wanted: &Value, actual: &Value) -> bool {
    match (wanted, actual) {
        (Value::Object(wanted), Value::Object(actual)) => wanted.iter().all(|(key, value)| {
            let actual = actual.get(key).unwrap_or(&Value::Null);
            match key.as_str() {
                "requests" | "limits" => quantities_hold(value, actual),
                _ => holds(value, actual),
            }
        }),
        (Value::Array(wanted), Value::Array(actual)) => {
            wanted.len() == actual.len()
                && wanted
                    .iter()
                    .zip(actual)
                    .all(|(wanted, actual)| holds(wanted, actual))
        }
        (wanted, Value::Null) => is_empty(wanted),
        (wanted, actual) => wanted == actual,
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

fn quantities_hold(wanted: &Value, actual: &Value) -> bool {
    match (wanted, actual) {
        (Value::Object(wanted), Value::Object(actual)) => wanted
            .iter()
            .all(|(name, value)| actual.get(name).is_some_and(|actual| is_same(value, actual))),
        (wanted, actual) => holds(wanted, actual),
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
    fn what_is_wanted_counts(#[case] wanted: Value, #[case] actual: Value, #[case] expected: bool) {
        assert_eq!(holds(&wanted, &actual), expected);
    }
}
