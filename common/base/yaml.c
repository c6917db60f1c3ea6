#include "common/base/yaml.h"

#include "common/base/file.h"
#include "common/base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

typedef struct parse {
    yaml_document_t document;
    size_t nodes; /* made so far */
    fc_fail *fail;
} parse;

static fc_err
refuse(const parse *p, const yaml_mark_t *mark, const char *why)
{
    return fc_fail_set(p->fail, FC_ERR_INVALID, "line %zu, column %zu: %s", mark->line + 1, mark->column + 1,
                       why);
}

static json_t *
scalar(const yaml_node_t *node)
{
    const char *text = (const char *)node->data.scalar.value;
    if (node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE) {
        if (*text == '\0' || strcmp(text, "null") == 0 || strcmp(text, "~") == 0)
            return json_null();
        if (strcmp(text, "true") == 0)
            return json_true();
        if (strcmp(text, "false") == 0)
            return json_false();
        char *end;
        errno = 0;
        long long integer = strtoll(text, &end, 10);
        if (*end == '\0' && errno == 0)
            return json_integer(integer);
        if (strspn(text, "0123456789.+-eE") == strlen(text)) {
            errno = 0;
            double real = strtod(text, &end);
            if (*end == '\0' && errno == 0)
                return json_real(real);
        }
    }
    return json_stringn(text, node->data.scalar.length); /* NULL when not UTF-8 */
}

static fc_err
node_to_json(parse *p, int index, int depth, json_t **ret);

static fc_err
sequence(parse *p, const yaml_node_t *node, int depth, json_t *array)
{
    for (const yaml_node_item_t *item = node->data.sequence.items.start; item < node->data.sequence.items.top;
         item++) {
        json_t *value = NULL;
        fc_err err = node_to_json(p, *item, depth, &value);
        if (err != FC_OK)
            return err;
        json_array_append_new(array, value);
    }
    return FC_OK;
}

static fc_err
mapping(parse *p, const yaml_node_t *node, int depth, json_t *object)
{
    for (const yaml_node_pair_t *pair = node->data.mapping.pairs.start; pair < node->data.mapping.pairs.top;
         pair++) {
        const yaml_node_t *key = yaml_document_get_node(&p->document, pair->key);
        if (key->type != YAML_SCALAR_NODE || key->data.scalar.length > 256)
            return refuse(p, &key->start_mark, "a key must be a short text");
        const char *name = (const char *)key->data.scalar.value;
        if (json_object_get(object, name) != NULL)
            return refuse(p, &key->start_mark, "the same key stands twice");
        json_t *value = NULL;
        fc_err err = node_to_json(p, pair->value, depth, &value);
        if (err != FC_OK)
            return err;
        if (json_object_set_new(object, name, value) != 0)
            return refuse(p, &key->start_mark, "the key is not UTF-8");
    }
    return FC_OK;
}

static fc_err
node_to_json(parse *p, int index, int depth, json_t **ret)
{
    const yaml_node_t *node = yaml_document_get_node(&p->document, index);
    if (depth > FC_YAML_DEPTH_MAX)
        return refuse(p, &node->start_mark, "nested too deeply");
    /* Aliases can make a small file mean an exponential tree: count what is made, not what is read. */
    if (++p->nodes > FC_YAML_NODES_MAX)
        return refuse(p, &node->start_mark, "too many values");
    fc_err err = FC_OK;
    json_t *made = NULL;
    switch (node->type) {
    case YAML_SCALAR_NODE:
        made = scalar(node);
        err = made != NULL ? FC_OK : refuse(p, &node->start_mark, "the text is not UTF-8");
        break;
    case YAML_SEQUENCE_NODE:
        made = json_array();
        err = sequence(p, node, depth + 1, made);
        break;
    case YAML_MAPPING_NODE:
        made = json_object();
        err = mapping(p, node, depth + 1, made);
        break;
    default:
        return refuse(p, &node->start_mark, "not a value");
    }
    if (err != FC_OK)
        json_decref(made);
    else
        *ret = made;
    return err;
}

/* libyaml's own reader recurses; refuse before it can be made to nest without end. */
static bool
nested_too_deeply(const char *text, size_t size)
{
    int flow = 0;
    for (size_t i = 0; i < size; i++) {
        if (text[i] == '[' || text[i] == '{')
            flow++;
        else if (text[i] == ']' || text[i] == '}')
            flow = flow > 0 ? flow - 1 : 0;
        if (flow > 1000)
            return true;
    }
    return false;
}

fc_err
fc_yaml_parse(const char *text, size_t size, json_t **ret_tree, fc_fail *fail)
{
    if (size > FC_YAML_SIZE_MAX)
        return fc_fail_set(fail, FC_ERR_LIMIT, "the document has %zu bytes, the limit is %d", size,
                           FC_YAML_SIZE_MAX);
    if (nested_too_deeply(text, size))
        return fc_fail_set(fail, FC_ERR_INVALID, "the document is nested too deeply");
    yaml_parser_t parser;
    if (!yaml_parser_initialize(&parser))
        abort();
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, size);
    parse p = {.fail = fail};
    fc_err err;
    if (!yaml_parser_load(&parser, &p.document)) {
        err =
            fc_fail_set(fail, FC_ERR_INVALID, "line %zu, column %zu: %s", parser.problem_mark.line + 1,
                        parser.problem_mark.column + 1, parser.problem != NULL ? parser.problem : "not YAML");
        yaml_parser_delete(&parser);
        return err;
    }
    if (yaml_document_get_root_node(&p.document) == NULL)
        err = fc_fail_set(fail, FC_ERR_INVALID, "the document is empty");
    else
        err = node_to_json(&p, 1, 0, ret_tree);
    yaml_document_delete(&p.document);
    yaml_parser_delete(&parser);
    return err;
}

fc_err
fc_yaml_load(const char *path, json_t **ret_tree, fc_fail *fail)
{
    fc_buf text = {0};
    const char *file = strcmp(path, "-") == 0 ? "/dev/stdin" : path;
    fc_err err = fc_file_read(AT_FDCWD, file, FC_YAML_SIZE_MAX, &text, fail);
    if (err == FC_OK) {
        fc_fail why = {0};
        err = fc_yaml_parse(fc_buf_text(&text), fc_buf_size(&text), ret_tree, &why);
        if (err != FC_OK)
            fc_fail_set(fail, err, "%s: %s", path, why.text);
    }
    fc_buf_fini(&text);
    return err;
}
