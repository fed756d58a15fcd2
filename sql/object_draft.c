/* object_draft.c - checks an object by the checks of a file that holds it. */
#include "sql/object_draft.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/yaml.h"

#define FILE_BYTES LB_YAML_BYTES
#define OBJECT_LINE 2 /* on which the object stands in the file */

/* The site without its links, as a file has it. */
static void add_site(struct lb_buf *out, const struct catalog_site *site)
{
    lb_json_add_comma(out);
    lb_buf_add_text(out, "{\"id\":");
    lb_json_add_string(out, site->id);
    lb_buf_add_text(out, ",\"hosts\":[");
    for (size_t i = 0; i < site->host_count; i++) {
        lb_json_add_comma(out);
        lb_json_add_string(out, site->hosts[i]);
    }
    lb_buf_add_text(out, "]}");
}

/* A section's list without its end; all but the object of that id. */
static void
begin_sites(struct lb_buf *out, const struct catalog *catalog, const char *but)
{
    lb_buf_add_text(out, "\"sites\":[");
    for (size_t i = 0; i < catalog_site_count(catalog); i++) {
        const struct catalog_site *site = catalog_site_at(catalog, i);

        if (but == NULL || strcmp(site->id, but) != 0) {
            add_site(out, site);
        }
    }
}

static void begin_objects(struct lb_buf *out,
                          const struct catalog *catalog,
                          enum catalog_kind kind,
                          const char *section,
                          const char *but)
{
    lb_buf_printf(out, "\"%s\":[", section);
    for (size_t i = 0; i < catalog_object_count(catalog, kind); i++) {
        const struct catalog_object *object =
            catalog_object_at(catalog, kind, i);

        if (but == NULL || strcmp(object->id, but) != 0) {
            lb_json_add_comma(out);
            lb_json_add_item(out, object->body);
        }
    }
}

static void add_body(struct lb_buf *out, const cJSON *body)
{
    bool is_first = out->len > 0 && out->data[out->len - 1] == '[';

    lb_buf_add_text(out, is_first ? "\n" : ",\n");
    lb_json_add_item(out, body);
    lb_buf_add_char(out, '\n');
}

/* The link as the one link of its site, without what names the site. */
static void add_link(struct lb_buf *out, const cJSON *body)
{
    cJSON *link = cJSON_Duplicate(body, true);

    cJSON_DeleteItemFromObjectCaseSensitive(link, "site");
    cJSON_DeleteItemFromObjectCaseSensitive(link, "id");
    lb_buf_add_text(out, "\"sites\":[{\"id\":\"site\",\"links\":[");
    add_body(out, link);
    lb_buf_add_text(out, "]}]");
    cJSON_Delete(link);
}

/* A file with all that the object may name, and the object on a line of its
 * own.  JSON is YAML. */
static void write_file(struct lb_buf *out,
                       enum object_kind kind,
                       const cJSON *body,
                       const struct catalog *catalog)
{
    const char *id = lb_json_text(body, "id");

    lb_buf_add_char(out, '{');
    switch (kind) {
    case OBJECT_SITE:
        begin_sites(out, catalog, id);
        add_body(out, body);
        lb_buf_add_char(out, ']');
        break;
    case OBJECT_LINK:
        add_link(out, body);
        break;
    case OBJECT_RULE:
        begin_sites(out, catalog, NULL);
        lb_buf_add_text(out, "],");
        begin_objects(out, catalog, CATALOG_DESTINATION, "destinations", NULL);
        lb_buf_add_text(out, "],\"rules\":[");
        add_body(out, body);
        lb_buf_add_char(out, ']');
        break;
    case OBJECT_DESTINATION:
        begin_objects(out, catalog, CATALOG_DESTINATION, "destinations", id);
        add_body(out, body);
        lb_buf_add_char(out, ']');
        break;
    }
    lb_buf_add_char(out, '}');
}

/* --- where a fault is ----------------------------------------------------- */

static const struct lb_yaml *find_object(const struct lb_yaml *node)
{
    for (; node != NULL; node = node->next) {
        const struct lb_yaml *found =
            node->line == OBJECT_LINE && node->kind == LB_YAML_MAP
                ? node
                : find_object(node->child);

        if (found != NULL) {
            return found;
        }
    }
    return NULL;
}

/* Writes the path to the node that the fault points at below map. */
static bool find_path(const struct lb_yaml *parent,
                      unsigned column,
                      const char *prefix,
                      char out[OBJECT_FIELD_BYTES])
{
    size_t index = 0;

    for (const struct lb_yaml *node = parent->child; node != NULL;
         node = node->next) {
        char path[OBJECT_FIELD_BYTES];

        if (parent->kind == LB_YAML_MAP) {
            (void)snprintf(path, sizeof(path), "%.40s%s%.50s", prefix,
                           prefix[0] == '\0' ? "" : ".", node->key);
        } else {
            (void)snprintf(path, sizeof(path), "%.60s%s%zu", prefix,
                           prefix[0] == '\0' ? "" : ".", index);
        }
        index++;
        if (node->column == column ||
            (node->key != NULL && node->key_column == column)) {
            memcpy(out, path, sizeof(path));
            return true;
        }
        if (find_path(node, column, path, out)) {
            return true;
        }
    }
    return false;
}

/* Reads "LINE:COL: key: message"; false when it is none of the object's. */
static bool read_fault(const char *line,
                       const struct lb_yaml *object,
                       struct object_fault *fault_out)
{
    char path[OBJECT_FIELD_BYTES] = "";
    char fault_key[OBJECT_FIELD_BYTES];
    char *end = NULL;
    const char *colon;
    unsigned long number = strtoul(line, &end, 10);
    unsigned long column;
    size_t len;

    if (number != OBJECT_LINE || *end != ':') {
        return false;
    }
    column = strtoul(end + 1, &end, 10);
    line = *end == ':' ? end + 2 : end;
    colon = strchr(line, ':');
    len = colon == NULL ? 0 : (size_t)(colon - line);
    (void)snprintf(fault_key, sizeof(fault_key), "%.*s", (int)len, line);
    memcpy(fault_out->field, fault_key, sizeof(fault_key));
    if (object->column != column &&
        find_path(object, (unsigned)column, "", path)) {
        /* A missing key is told of the map that should have it. */
        bool is_there = strstr(line, ": is missing") == NULL;
        char whole[OBJECT_FIELD_BYTES * 2];

        (void)snprintf(whole, sizeof(whole), "%s%s%s", path,
                       is_there ? "" : ".", is_there ? "" : fault_out->field);
        memcpy(fault_out->field, whole, sizeof(fault_out->field) - 1);
    }
    len = strcspn(line, "\n");
    (void)snprintf(fault_out->text, sizeof(fault_out->text), "%.*s", (int)len,
                   line);
    fault_out->code =
        strcmp(fault_key, "url") == 0 && strstr(line, "missing") == NULL
            ? "bad_url"
            : "invalid";
    return true;
}

static bool read_faults(const struct lb_config_faults *faults,
                        const struct lb_yaml *object,
                        struct object_fault *fault_out)
{
    const char *line = lb_buf_text(&faults->lines);

    while (*line != '\0') {
        if (read_fault(line, object, fault_out)) {
            return false;
        }
        line += strcspn(line, "\n");
        line += *line == '\n' ? 1 : 0;
    }
    return true;
}

/* What reaches files of the machine is the owner's, not a token's: a secret's
 * file could be any file that the service may read. */
static bool is_for_file_alone(const cJSON *body, struct object_fault *fault_out)
{
    static const char end[] = "_file";

    for (const cJSON *item = body->child; item != NULL; item = item->next) {
        size_t len = strlen(item->string);

        if (strcmp(item->string, "allow_outside") == 0 ||
            (len >= strlen(end) &&
             strcmp(item->string + len - strlen(end), end) == 0)) {
            (void)snprintf(fault_out->field, sizeof(fault_out->field), "%.90s",
                           item->string);
            (void)snprintf(fault_out->text, sizeof(fault_out->text),
                           "%.90s: is taken in linkbell.yaml alone",
                           item->string);
            return true;
        }
    }
    return false;
}

bool object_draft_check(enum object_kind kind,
                        const cJSON *body,
                        const struct catalog *catalog,
                        const struct apply_kinds *kinds,
                        struct object_fault *fault_out)
{
    struct lb_config_faults faults;
    const struct lb_yaml *object;
    struct lb_yaml *root = NULL;
    struct lb_error err = {LB_OK, ""};
    struct lb_buf file;
    bool is_well = false;

    *fault_out = (struct object_fault){"invalid", "", ""};
    if (kind == OBJECT_DESTINATION && is_for_file_alone(body, fault_out)) {
        return false;
    }
    lb_buf_init(&file, FILE_BYTES);
    lb_config_faults_init(&faults);
    write_file(&file, kind, body, catalog);
    if (lb_yaml_parse(lb_buf_text(&file), file.len, &root, &err) != LB_OK) {
        (void)snprintf(fault_out->text, sizeof(fault_out->text),
                       "the object can't be read: %.200s", err.text);
    } else if ((object = find_object(root)) == NULL) {
        (void)snprintf(fault_out->text, sizeof(fault_out->text),
                       "the object holds nothing");
    } else {
        apply_check(root, kinds, &faults);
        is_well = read_faults(&faults, object, fault_out);
    }
    lb_yaml_free(root);
    lb_config_faults_deinit(&faults);
    lb_buf_deinit(&file);
    return is_well;
}
