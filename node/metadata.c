#include "node/metadata.h"

#include "common/base/file.h"
#include "common/base/mem.h"
#include "node/fetch.h"

#include <ctype.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

const nd_metadata_places nd_metadata_places_usual = {
    .azure_base = "http://169.254.169.254",
    .cloud_init_file = "/run/cloud-init/instance-data.json",
};

static const char *const source_texts[] = {
    [ND_METADATA_AUTO] = "auto",
    [ND_METADATA_AZURE] = "azure",
    [ND_METADATA_CLOUD_INIT] = "cloud-init",
    [ND_METADATA_NONE] = "none",
};

bool
nd_metadata_source_parse(const char *text, nd_metadata_source *ret_source)
{
    for (size_t i = 0; i < FC_COUNT(source_texts); i++)
        if (strcmp(text, source_texts[i]) == 0) {
            *ret_source = (nd_metadata_source)i;
            return true;
        }
    return false;
}

const char *
nd_metadata_source_text(nd_metadata_source source)
{
    return source_texts[source];
}

/* ---- made into names and labels ---- */

static bool
name_character(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
}

bool
nd_metadata_name(const char *text, char ret_name[FC_NAME_MAX + 1])
{
    char name[FC_NAME_MAX + 1];
    size_t length = 0;
    for (; *text != '\0' && length < FC_NAME_MAX; text++) {
        char c = name_character(*text) ? *text : '-';
        bool repeated = c == '-' && length > 0 && name[length - 1] == '-' && *text != '-';
        if (repeated || (length == 0 && !isalnum((unsigned char)c)))
            continue;
        name[length++] = c;
    }
    while (length > 0 && !isalnum((unsigned char)name[length - 1]))
        length--;
    name[length] = '\0';
    if (!fc_name_check(name))
        return false;
    memcpy(ret_name, name, length + 1);
    return true;
}

static void
put_name(const json_t *object, const char *key, char ret_name[FC_NAME_MAX + 1])
{
    const char *text = json_string_value(json_object_get(object, key));
    if (text != NULL)
        (void)nd_metadata_name(text, ret_name);
}

/* Printable ASCII: what every terminal, YAML reader and selector takes for what it is. */
static bool
plain(const char *text)
{
    size_t length = 0;
    for (; text[length] != '\0'; length++)
        if (text[length] < ' ' || text[length] > '~')
            return false;
    return length <= ND_METADATA_LABEL_VALUE_MAX;
}

static void
put_label(nd_metadata *ret, const json_t *tag)
{
    char key[FC_NAME_MAX + 1];
    const char *name = json_string_value(json_object_get(tag, "name"));
    const char *value = json_string_value(json_object_get(tag, "value"));
    if (name == NULL || value == NULL || !plain(value) || !nd_metadata_name(name, key) ||
        ret->labels.count == ND_METADATA_LABELS_MAX || fc_labels_find(&ret->labels, key) != NULL)
        ret->labels_left++;
    else
        fc_labels_set(&ret->labels, key, value);
}

/* ---- the two forms ---- */

static fc_err
load(const char *text, size_t size, const char *part, json_t **ret_tree, const json_t **ret_part,
     fc_fail *fail)
{
    json_error_t error;
    json_t *tree = json_loadb(text, size, 0, &error);
    if (tree == NULL)
        return fc_fail_set(fail, FC_ERR_INVALID, "the instance metadata is no JSON: line %d: %.100s",
                           error.line, error.text);
    const json_t *object = json_object_get(tree, part);
    if (!json_is_object(object)) {
        json_decref(tree);
        return fc_fail_set(fail, FC_ERR_INVALID, "the instance metadata has no \"%s\"", part);
    }
    *ret_tree = tree;
    *ret_part = object;
    return FC_OK;
}

fc_err
nd_metadata_parse_azure(const char *text, size_t size, nd_metadata *ret, fc_fail *fail)
{
    json_t *tree = NULL, *tag;
    const json_t *compute = NULL;
    size_t index;
    fc_err err = load(text, size, "compute", &tree, &compute, fail);
    if (err != FC_OK)
        return err;
    ret->source = ND_METADATA_AZURE;
    put_name(compute, "vmId", ret->id);
    put_name(compute, "name", ret->name);
    put_name(compute, "zone", ret->zone);
    json_array_foreach (json_object_get(compute, "tagsList"), index, tag)
        put_label(ret, tag);
    json_decref(tree);
    return FC_OK;
}

fc_err
nd_metadata_parse_cloud_init(const char *text, size_t size, nd_metadata *ret, fc_fail *fail)
{
    json_t *tree = NULL;
    const json_t *v1 = NULL;
    fc_err err = load(text, size, "v1", &tree, &v1, fail);
    if (err != FC_OK)
        return err;
    ret->source = ND_METADATA_CLOUD_INIT;
    put_name(v1, "instance_id", ret->id);
    put_name(v1, "local_hostname", ret->name);
    put_name(v1, "availability_zone", ret->zone);
    json_decref(tree);
    return FC_OK;
}

/* ---- asking ---- */

static fc_err
read_azure(const char *base, nd_metadata *ret, fc_fail *fail)
{
    fc_buf answer = {0};
    char *url = fc_sprintf("%s/metadata/instance?api-version=2021-02-01", base);
    fc_err err =
        nd_fetch(url, "Metadata: true", ND_METADATA_WAIT_MS, ND_METADATA_AZURE_BYTES_MAX, &answer, fail);
    if (err == FC_OK)
        err = nd_metadata_parse_azure(fc_buf_text(&answer), fc_buf_size(&answer), ret, fail);
    free(url);
    fc_buf_fini(&answer);
    return err;
}

static fc_err
read_cloud_init(const char *path, nd_metadata *ret, fc_fail *fail)
{
    fc_buf text = {0};
    fc_err err = fc_file_read(AT_FDCWD, path, ND_METADATA_FILE_BYTES_MAX, &text, fail);
    if (err == FC_OK)
        err = nd_metadata_parse_cloud_init(fc_buf_text(&text), fc_buf_size(&text), ret, fail);
    fc_buf_fini(&text);
    return err;
}

static void
start_over(nd_metadata *ret)
{
    nd_metadata_fini(ret);
    *ret = (nd_metadata){.source = ND_METADATA_NONE};
}

fc_err
nd_metadata_read(nd_metadata_source source, const nd_metadata_places *places, nd_metadata *ret, fc_fail *fail)
{
    fc_fail why;
    start_over(ret);
    switch (source) {
    case ND_METADATA_AZURE:
        return read_azure(places->azure_base, ret, fail);
    case ND_METADATA_CLOUD_INIT:
        return read_cloud_init(places->cloud_init_file, ret, fail);
    case ND_METADATA_AUTO: /* the service knows the tags, the file does not */
        if (read_azure(places->azure_base, ret, &why) == FC_OK)
            break;
        start_over(ret);
        if (read_cloud_init(places->cloud_init_file, ret, &why) != FC_OK)
            start_over(ret);
        break;
    case ND_METADATA_NONE:
        break;
    }
    return FC_OK;
}

void
nd_metadata_fini(nd_metadata *metadata)
{
    fc_labels_fini(&metadata->labels);
}
