#include "common/base/principal.h"

#include "common/base/mem.h"

#include <stdio.h>
#include <string.h>

static const struct {
    fc_role role;
    const char *name;
} roles[] = {
    {FC_ROLE_NODE, "node"},
    {FC_ROLE_OPERATOR, "operator"},
    {FC_ROLE_COORDINATOR, "coordinator"},
    {FC_ROLE_ANONYMOUS, "anonymous"},
};

const char *
fc_role_name(fc_role role)
{
    for (size_t i = 0; i < FC_COUNT(roles); i++)
        if (roles[i].role == role)
            return roles[i].name;
    return "none";
}

fc_role
fc_role_parse(const char *text)
{
    for (size_t i = 0; i < FC_COUNT(roles); i++)
        if (strcmp(roles[i].name, text) == 0 && roles[i].role != FC_ROLE_ANONYMOUS)
            return roles[i].role;
    return FC_ROLE_NONE;
}

/* Copies up to the next '/' or the end into part, which must be a name; returns what follows, or NULL. */
static const char *
take_part(const char *at, char part[FC_NAME_MAX + 1])
{
    size_t length = strcspn(at, "/");
    if (length > FC_NAME_MAX)
        return NULL;
    memcpy(part, at, length);
    part[length] = '\0';
    return fc_name_check(part) ? at + length : NULL;
}

fc_err
fc_principal_parse(const char *uri, fc_principal *ret_principal)
{
    static const char scheme[] = "spiffe://";
    if (strncmp(uri, scheme, sizeof scheme - 1) != 0)
        return FC_ERR_INVALID;
    fc_principal parsed = *ret_principal;
    char role[FC_NAME_MAX + 1];
    const char *at = take_part(uri + sizeof scheme - 1, parsed.fleet);
    if (at == NULL || *at != '/' || (at = take_part(at + 1, role)) == NULL || *at != '/' ||
        (at = take_part(at + 1, parsed.name)) == NULL || *at != '\0')
        return FC_ERR_INVALID;
    parsed.role = fc_role_parse(role);
    if (parsed.role == FC_ROLE_NONE)
        return FC_ERR_INVALID;
    *ret_principal = parsed;
    return FC_OK;
}

const char *
fc_principal_text(const fc_principal *principal, char text[FC_PRINCIPAL_TEXT_SIZE])
{
    (void)snprintf(text, FC_PRINCIPAL_TEXT_SIZE, "%s/%s", fc_role_name(principal->role), principal->name);
    return text;
}
