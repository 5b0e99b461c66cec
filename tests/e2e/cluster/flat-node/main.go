// A filter for stock Envoy that does what Istio's own did up to 1.23: sidecars tell each other who they are by headers, and
// keep what they are told as the filter state wasm.downstream_peer and wasm.upstream_peer, FlatBuffers of the table FlatNode.
//
// Envoy loads it as WebAssembly (proxy-wasm 0.2.0). Whoever gets a request with the header is its server's sidecar, any other
// its client's.
package main

import (
	"encoding/base64"
	"strings"
	"unsafe"

	flatbuffers "github.com/google/flatbuffers/go"
)

// Kinds of header maps.
const (
	requestHeaders  = 0
	responseHeaders = 2
)

const (
	header         = "x-envoy-peer-metadata"
	goOn           = 0
	ok             = 0
	downstreamPeer = "downstream_peer"
	upstreamPeer   = "upstream_peer"
)

// The fields of FlatNode that are filled in, and of KeyVal.
const (
	nodeName, nodeNamespace, nodeLabels, nodeOwner, nodeWorkloadName, nodeClusterID = 0, 1, 2, 3, 4, 9
	nodeFields                                                                      = 12
	pairKey, pairValue, pairFields                                                  = 0, 1, 2
)

// Labels that name a workload, sorted as the table wants them.
var labels = []string{
	"app",
	"app.kubernetes.io/name",
	"app.kubernetes.io/version",
	"service.istio.io/canonical-name",
	"service.istio.io/canonical-revision",
	"version",
}

//go:wasmimport env proxy_get_property
func getProperty(path *byte, pathSize int32, value *address, valueSize *int32) int32

//go:wasmimport env proxy_set_property
func setProperty(path *byte, pathSize int32, value *byte, valueSize int32) int32

//go:wasmimport env proxy_get_header_map_value
func getHeader(kind int32, key *byte, keySize int32, value *address, valueSize *int32) int32

//go:wasmimport env proxy_add_header_map_value
func addHeader(kind int32, key *byte, keySize int32, value *byte, valueSize int32) int32

//go:wasmimport env proxy_remove_header_map_value
func removeHeader(kind int32, key *byte, keySize int32) int32

// An address in this program's memory, as WebAssembly has it.
type address = uint32

// Memory that Envoy asked for, kept from the garbage collector until it is read.
var allocated = map[address][]byte{}

// The streams of which this proxy is the server's sidecar.
var serves = map[int32]bool{}

// Who this proxy is, as the header tells it.
var self string

func main() {}

//go:wasmexport proxy_abi_version_0_2_0
func abiVersion() {}

//go:wasmexport proxy_on_memory_allocate
func allocate(size int32) *byte {
	memory := make([]byte, max(size, 1))
	allocated[address(uintptr(unsafe.Pointer(&memory[0])))] = memory
	return &memory[0]
}

//go:wasmexport proxy_on_context_create
func contextCreate(context, root int32) {}

//go:wasmexport proxy_on_vm_start
func vmStart(context, size int32) int32 { return 1 }

//go:wasmexport proxy_on_configure
func configure(context, size int32) int32 { return 1 }

//go:wasmexport proxy_on_request_headers
func onRequestHeaders(context, count, end int32) int32 {
	if self == "" {
		self = base64.StdEncoding.EncodeToString(node())
	}
	if keepPeer(requestHeaders, downstreamPeer) {
		serves[context] = true
	} else {
		add(requestHeaders, self)
	}
	return goOn
}

//go:wasmexport proxy_on_response_headers
func onResponseHeaders(context, count, end int32) int32 {
	keepPeer(responseHeaders, upstreamPeer)
	if serves[context] {
		add(responseHeaders, self)
	}
	return goOn
}

//go:wasmexport proxy_on_done
func onDone(context int32) int32 { return 1 }

//go:wasmexport proxy_on_delete
func onDelete(context int32) { delete(serves, context) }

// keepPeer takes the other sidecar's header away and keeps what it says; false where there is none.
func keepPeer(kind int32, property string) bool {
	key := []byte(header)
	var value address
	var size int32
	if getHeader(kind, &key[0], int32(len(key)), &value, &size) != ok || size == 0 {
		return false
	}
	text := take(value, size)
	removeHeader(kind, &key[0], int32(len(key)))
	peer, err := base64.StdEncoding.DecodeString(string(text))
	if err != nil || len(peer) == 0 {
		return false
	}
	path := []byte(property)
	setProperty(&path[0], int32(len(path)), &peer[0], int32(len(peer)))
	return true
}

func add(kind int32, text string) {
	key, value := []byte(header), []byte(text)
	addHeader(kind, &key[0], int32(len(key)), &value[0], int32(len(value)))
}

// metadata answers with one text of the node's metadata.
func metadata(path ...string) string {
	joined := []byte(strings.Join(append([]string{"xds", "node", "metadata"}, path...), "\x00"))
	var value address
	var size int32
	if getProperty(&joined[0], int32(len(joined)), &value, &size) != ok || size == 0 {
		return ""
	}
	return string(take(value, size))
}

// take answers with memory that Envoy filled, and gives it up.
func take(value address, size int32) []byte {
	memory := allocated[value]
	delete(allocated, value)
	return memory[:min(int(size), len(memory))]
}

// node writes this proxy's FlatNode.
func node() []byte {
	builder := flatbuffers.NewBuilder(1024)
	pairs := []flatbuffers.UOffsetT{}
	for _, label := range labels {
		if value := metadata("LABELS", label); value != "" {
			pairs = append(pairs, table(builder, pairFields, map[int]flatbuffers.UOffsetT{
				pairKey:   builder.CreateString(label),
				pairValue: builder.CreateString(value),
			}))
		}
	}
	builder.Finish(table(builder, nodeFields, map[int]flatbuffers.UOffsetT{
		nodeName:         builder.CreateString(metadata("NAME")),
		nodeNamespace:    builder.CreateString(metadata("NAMESPACE")),
		nodeLabels:       builder.CreateVectorOfTables(pairs),
		nodeOwner:        builder.CreateString(metadata("OWNER")),
		nodeWorkloadName: builder.CreateString(metadata("WORKLOAD_NAME")),
		nodeClusterID:    builder.CreateString(metadata("CLUSTER_ID")),
	}))
	return builder.FinishedBytes()
}

func table(builder *flatbuffers.Builder, fields int, offsets map[int]flatbuffers.UOffsetT) flatbuffers.UOffsetT {
	builder.StartObject(fields)
	for field := range fields {
		if offset, set := offsets[field]; set {
			builder.PrependUOffsetTSlot(field, offset, 0)
		}
	}
	return builder.EndObject()
}
