#include "node/capture/preamble.h"

#include "common/pcapng/pcapng.h"

#include <sys/utsname.h>

/* "web-1 (scale set web, region eu, zone a)", with what is known. */
static void
put_instance(fc_buf *out, const cap_spec *spec)
{
    const struct {
        const char *label, *value;
    } places[] = {{"scale set", spec->scale_set}, {"region", spec->region}, {"zone", spec->zone}};
    const char *before = " (";
    fc_buf_printf(out, "%s", spec->instance_name);
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        if (*places[i].value == '\0')
            continue;
        fc_buf_printf(out, "%s%s %s", before, places[i].label, places[i].value);
        before = ", ";
    }
    if (before[0] == ',')
        fc_buf_printf(out, ")");
}

static void
put_comment(fc_buf *out, const cap_spec *spec)
{
    fc_buf_printf(out, "fleetcap capture %s (%s), instance %s (%s)", spec->capture_name, spec->capture_uid,
                  spec->instance_name, spec->instance_id);
    if (*spec->scale_set != '\0')
        fc_buf_printf(out, ", scale set %s", spec->scale_set);
    if (*spec->region != '\0')
        fc_buf_printf(out, ", region %s", spec->region);
    if (*spec->incident_id != '\0')
        fc_buf_printf(out, ", incident %s", spec->incident_id);
}

static void
put_interface(fc_buf *out, const cap_spec *spec, const cap_ring *ring, const char *os, const char *comment)
{
    fc_buf description = {0};
    put_instance(&description, spec);
    fc_buf_printf(&description, " %s", ring->name);
    fc_pcapng_interface block = {
        .name = ring->name,
        .description = fc_buf_text(&description),
        .filter = *spec->filter != '\0' ? spec->filter : NULL,
        .os = os,
        .comment = comment,
        .link_type = (uint16_t)ring->link_type,
        .snaplen_bytes = spec->snaplen_bytes,
        .has_mac = ring->direction.has_mac,
        .speed_bps = ring->speed_bps,
    };
    memcpy(block.mac, ring->direction.mac, sizeof block.mac);
    fc_pcapng_put_interface(out, &block);
    fc_buf_fini(&description);
}

void
cap_preamble_put(fc_buf *out, const cap_spec *spec, const cap_ring *rings)
{
    struct utsname system = {0};
    (void)uname(&system);
    fc_buf comment = {0}, os = {0};
    put_comment(&comment, spec);
    fc_buf_printf(&os, "%s %s", system.sysname, system.release);
    const fc_pcapng_section section = {
        .hardware = system.machine,
        .os = fc_buf_text(&os),
        .application = "fleetcap-capture " FC_VERSION,
        .comment = fc_buf_text(&comment),
    };
    fc_pcapng_put_section(out, &section);
    for (size_t i = 0; i < spec->interface_count; i++)
        put_interface(out, spec, &rings[i], section.os, section.comment);
    fc_buf_fini(&comment);
    fc_buf_fini(&os);
}
