//! `FlatNode`s, by the builder of the crate `flatbuffers`.

use flatbuffers::{FlatBufferBuilder, TableFinishedWIPOffset, VOffsetT, WIPOffset};

/// What a `FlatNode` says; `None` is an absent field.
#[derive(Clone, Debug, Default)]
pub(crate) struct FlatNode<'a> {
    pub(crate) name: Option<&'a str>,
    pub(crate) namespace: Option<&'a str>,
    pub(crate) labels: Option<&'a [(&'a str, &'a str)]>,
    pub(crate) owner: Option<&'a str>,
    pub(crate) workload_name: Option<&'a str>,
    pub(crate) cluster_id: Option<&'a str>,
    pub(crate) identity: Option<&'a str>,
}

impl FlatNode<'_> {
    /// The bytes, with fields that no rule reads beside the others.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut builder = FlatBufferBuilder::new();
        let labels = self.labels.map(|labels| {
            let pairs: Vec<_> = labels.iter().map(|pair| key_value(&mut builder, *pair)).collect();
            builder.create_vector(&pairs).as_union_value()
        });
        let platform = [key_value(&mut builder, ("gcp_project", "p"))];
        let platform = builder.create_vector(&platform).as_union_value();
        let mut string = |text: Option<&str>| text.map(|text| builder.create_string(text).as_union_value());
        let fields: [(VOffsetT, Option<_>); 9] = [
            (0, string(self.name)),
            (1, string(self.namespace)),
            (2, labels),
            (3, string(self.owner)),
            (4, string(self.workload_name)),
            (5, Some(platform)),
            (7, string(Some("mesh"))),
            (9, string(self.cluster_id)),
            (11, string(self.identity)),
        ];
        let table = builder.start_table();
        for (field, offset) in fields {
            if let Some(offset) = offset {
                builder.push_slot_always(4 + 2 * field, offset);
            }
        }
        let root = builder.end_table(table);
        builder.finish_minimal(root);
        builder.finished_data().to_vec()
    }
}

fn key_value(
    builder: &mut FlatBufferBuilder<'_>,
    (key, value): (&str, &str),
) -> WIPOffset<TableFinishedWIPOffset> {
    let (key, value) = (builder.create_string(key), builder.create_string(value));
    let table = builder.start_table();
    builder.push_slot_always(4, key);
    builder.push_slot_always(6, value);
    builder.end_table(table)
}
