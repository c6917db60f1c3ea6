#include "common/rpc/methods.h"

#include "common/base/mem.h"

#include "fleetcap/v1/capture_service.pb-c.h"
#include "fleetcap/v1/coordinator_service.pb-c.h"
#include "fleetcap/v1/enrol_service.pb-c.h"
#include "fleetcap/v1/fleet_service.pb-c.h"
#include "fleetcap/v1/node_service.pb-c.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const ProtobufCServiceDescriptor *service;
    const char *name;
    unsigned kind;
    unsigned roles;
} sources[FC_METHOD_COUNT] = {
#define X(id, service, name, kind, role)                                                                     \
    [FC_METHOD_##id] = {&fcpb__##service##__descriptor, name, kind, FC_ROLE_##role},
    FC_METHODS(X)
#undef X
};

/* Made once from the descriptors, read-only after. */
static pthread_once_t made = PTHREAD_ONCE_INIT;
static fc_rpc_method methods[FC_METHOD_COUNT];
static const fc_rpc_method *by_path[FC_METHOD_COUNT];

static int
compare_path(const void *a, const void *b)
{
    const fc_rpc_method *const *left = a, *const *right = b;
    return strcmp((*left)->path, (*right)->path);
}

static void
make(void)
{
    for (size_t i = 0; i < FC_METHOD_COUNT; i++) {
        const ProtobufCMethodDescriptor *found =
            protobuf_c_service_descriptor_get_method_by_name(sources[i].service, sources[i].name);
        assert(found != NULL);
        methods[i] = (fc_rpc_method){.id = (fc_method_id)i,
                                     .input = found->input,
                                     .output = found->output,
                                     .kind = sources[i].kind,
                                     .roles = sources[i].roles};
        int length = snprintf(methods[i].path, sizeof methods[i].path, "/%s/%s", sources[i].service->name,
                              sources[i].name);
        assert(length > 0 && (size_t)length < sizeof methods[i].path);
        (void)length;
        by_path[i] = &methods[i];
    }
    qsort(by_path, FC_METHOD_COUNT, sizeof by_path[0], compare_path);
}

const fc_rpc_method *
fc_rpc_method_get(fc_method_id id)
{
    pthread_once(&made, make);
    assert((size_t)id < FC_METHOD_COUNT);
    return &methods[id];
}

const fc_rpc_method *
fc_rpc_method_find(const char *path)
{
    pthread_once(&made, make);
    size_t low = 0, high = FC_METHOD_COUNT;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(path, by_path[middle]->path);
        if (order == 0)
            return by_path[middle];
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}
