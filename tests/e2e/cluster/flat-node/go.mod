module alscope.dev/tests/e2e/cluster/flat-node

go 1.26.0

require github.com/google/flatbuffers v25.12.19+incompatible
