//! Suggestions for a mistyped name.

use strsim::damerau_levenshtein;

/// Says what to write instead of `written`, which is none of `known`: the nearest name if one is near,
/// followed by all of them.
pub fn choices(written: &str, known: &[&str]) -> String {
    let all = known.join(", ");
    match nearest(written, known) {
        Some(name) if known.len() > 1 => format!("the nearest is `{name}`, of {all}"),
        Some(_) | None => format!("use {all}"),
    }
}

/// Returns the name that is the fewest edits away from `written`, if these are at most a third of the
/// name's letters. Case does not count.
fn nearest<'a>(written: &str, known: &[&'a str]) -> Option<&'a str> {
    let written = written.to_lowercase();
    let letters = written.chars().count();
    known
        .iter()
        .filter_map(|name| {
            let bound = name.len() / 3;
            // The comparison's cost grows with both lengths, and a text of very different length is not near.
            if name.len().abs_diff(letters) > bound {
                return None;
            }
            let distance = damerau_levenshtein(&written, &name.to_lowercase());
            (distance <= bound).then_some((distance, *name))
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::letter_left_out("listn", "the nearest is `listen`, of listen, limits, alsHTTPAnalysis, web")]
    #[case::letters_swapped("limtis", "the nearest is `limits`, of listen, limits, alsHTTPAnalysis, web")]
    #[case::other_case(
        "alsHttpAnalysis",
        "the nearest is `alsHTTPAnalysis`, of listen, limits, alsHTTPAnalysis, web"
    )]
    #[case::a_third_of_the_letters("wob", "the nearest is `web`, of listen, limits, alsHTTPAnalysis, web")]
    #[case::more_than_a_third("wbe1", "use listen, limits, alsHTTPAnalysis, web")]
    #[case::another_word("ports", "use listen, limits, alsHTTPAnalysis, web")]
    #[case::nothing("", "use listen, limits, alsHTTPAnalysis, web")]
    fn nearest_name_is_told_when_one_is_near(#[case] written: &str, #[case] expected: &str) {
        assert_eq!(
            choices(written, &["listen", "limits", "alsHTTPAnalysis", "web"]),
            expected
        );
    }

    #[test]
    fn the_nearest_of_several_near_ones_is_told() {
        assert_eq!(
            choices("streamsPerPeers", &["streamsPerPeer", "streamsPerPeerX"]),
            "the nearest is `streamsPerPeer`, of streamsPerPeer, streamsPerPeerX"
        );
    }

    #[test]
    fn only_name_needs_no_nearest() {
        assert_eq!(choices("kubeconfg", &["kubeconfig"]), "use kubeconfig");
    }

    #[test]
    fn long_text_costs_no_comparison() {
        assert_eq!(
            choices(&"k".repeat(50_000_000), &["kubeconfig", "file"]),
            "use kubeconfig, file"
        );
    }
}
