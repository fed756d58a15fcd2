/* apply_check.c - the faults of a file's sites and links, and of its other
 * sections. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/ip.h"
#include "base/text.h"
#include "base/zone.h"
#include "sql/apply.h"
#include "sql/catalog.h"

#define ID_BYTES 64
#define TITLE_BYTES 256
#define URL_BYTES 2048
#define HOST_BYTES 253
#define HOSTS_MOST 64 /* of a site */
#define HOST_CHARS "A-Za-z0-9_.-"

static const char *const site_keys[] = {"id",          "timezone",   "hosts",
                                        "lead_events", "ignore_ips", "badge",
                                        "links",       NULL};
static const char *const link_keys[] = {"slug",   "title",   "url",
                                        "intent", "enabled", NULL};
static const char *const fixed_paths[] = {
    "v1",    "api",   "in",           "r",       "js",     "share",
    "badge", "login", "logout",       "healthz", "readyz", "metrics",
    "e.gif", "lb.js", "openapi.json", NULL};

static void check_keys(const struct lb_yaml *map,
                       const char *const *known,
                       const char *where,
                       struct lb_config_faults *faults)
{
    for (const struct lb_yaml *node = map->child; node != NULL;
         node = node->next) {
        const char *near;
        size_t i = 0;

        while (known[i] != NULL && strcmp(known[i], node->key) != 0) {
            i++;
        }
        if (known[i] == NULL) {
            near = lb_yaml_suggest(node->key, known);
            lb_config_fault(faults, node->key_line, node->key_column, node->key,
                            near == NULL
                                ? "is no key of a %s"
                                : "is no key of a %s; did you mean %s?",
                            where, near == NULL ? "" : near);
        }
    }
}

/* The text of a key; NULL with a fault when it is missing or no text. */
static const char *need_text(const struct lb_yaml *map,
                             const char *key,
                             size_t max_bytes,
                             struct lb_config_faults *faults)
{
    const struct lb_yaml *node = lb_yaml_find(map, key);

    if (node == NULL) {
        lb_config_fault(faults, map->line, map->column, key, "is missing");
        return NULL;
    }
    if (node->kind != LB_YAML_SCALAR || node->text[0] == '\0' ||
        strlen(node->text) > max_bytes) {
        lb_config_fault(faults, node->line, node->column, key,
                        "must be a text of 1 to %zu bytes", max_bytes);
        return NULL;
    }
    return node->text;
}

static bool is_target(const char *url)
{
    const char *host = strncmp(url, "https://", 8) == 0  ? url + 8
                       : strncmp(url, "http://", 7) == 0 ? url + 7
                                                         : NULL;
    size_t len = host == NULL ? 0 : strcspn(host, "/?#");

    if (len == 0 || memchr(host, '@', len) != NULL) {
        return false;
    }
    for (const char *c = url; *c != '\0'; c++) {
        if ((unsigned char)*c <= ' ' || *c == 0x7f || *c == '\\') {
            return false;
        }
    }
    return true;
}

static void check_link(const struct lb_yaml *link,
                       struct lb_config_faults *faults)
{
    const char *slug;
    const char *url;

    if (link->kind != LB_YAML_MAP) {
        lb_config_fault(faults, link->line, link->column, "links",
                        "each link must hold slug and url");
        return;
    }
    check_keys(link, link_keys, "link", faults);
    slug = need_text(link, "slug", ID_BYTES, faults);
    url = need_text(link, "url", URL_BYTES, faults);
    if (slug != NULL && !lb_text_is_made_of(slug, "A-Za-z0-9_", ID_BYTES) &&
        strspn(slug, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz01234"
                     "56789_-") != strlen(slug)) {
        lb_config_fault(faults, lb_yaml_find(link, "slug")->line,
                        lb_yaml_find(link, "slug")->column, "slug",
                        "\"%s\" must be made of letters, digits, _ and -",
                        slug);
    }
    for (size_t i = 0; slug != NULL && fixed_paths[i] != NULL; i++) {
        if (strcmp(slug, fixed_paths[i]) == 0) {
            lb_config_fault(
                faults, lb_yaml_find(link, "slug")->line,
                lb_yaml_find(link, "slug")->column, "slug",
                "\"%s\" is a path of the service; choose another one", slug);
        }
    }
    if (url != NULL && !is_target(url)) {
        lb_config_fault(
            faults, lb_yaml_find(link, "url")->line,
            lb_yaml_find(link, "url")->column, "url",
            "must be an http or https URL with a host, without user info");
    }
}

static bool is_site_id(const char *id)
{
    return strspn(id, "abcdefghijklmnopqrstuvwxyz0123456789.-") == strlen(id);
}

/* The same text under key in an earlier item of the list is a fault. */
static void check_unique(const struct lb_yaml *item,
                         const struct lb_yaml *list,
                         const char *key,
                         struct lb_config_faults *faults)
{
    const struct lb_yaml *mine = lb_yaml_find(item, key);

    for (const struct lb_yaml *other = list->child;
         mine != NULL && other != item; other = other->next) {
        const struct lb_yaml *theirs = lb_yaml_find(other, key);

        if (theirs != NULL && theirs->text != NULL && mine->text != NULL &&
            strcmp(theirs->text, mine->text) == 0) {
            lb_config_fault(faults, mine->line, mine->column, key,
                            "\"%s\" stands here twice (first in line %u)",
                            mine->text, theirs->line);
            return;
        }
    }
}

static void check_ignored(const struct lb_yaml *list,
                          struct lb_config_faults *faults)
{
    struct lb_ip_range range;
    size_t count = 0;

    if (list->kind != LB_YAML_LIST) {
        lb_config_fault(faults, list->line, list->column, "ignore_ips",
                        "must be a list of addresses and networks");
        return;
    }
    for (const struct lb_yaml *item = list->child; item != NULL;
         item = item->next) {
        if (item->kind != LB_YAML_SCALAR ||
            !lb_ip_parse_range(item->text, &range)) {
            lb_config_fault(faults, item->line, item->column, "ignore_ips",
                            "must hold addresses and networks, like "
                            "192.0.2.10 or 2001:db8::/32");
        } else if (++count > CATALOG_IGNORED) {
            lb_config_fault(faults, item->line, item->column, "ignore_ips",
                            "has more than %d values", CATALOG_IGNORED);
            return;
        }
    }
}

static bool has_host(const struct lb_yaml *site, const char *host)
{
    const struct lb_yaml *hosts = lb_yaml_find(site, "hosts");

    for (const struct lb_yaml *at = hosts == NULL ? NULL : hosts->child;
         at != NULL; at = at->next) {
        if (at->text != NULL && strcasecmp(at->text, host) == 0) {
            return true;
        }
    }
    return false;
}

/* The same host among those of an earlier site is a fault. */
static void check_host_is_free(const struct lb_yaml *host,
                               const struct lb_yaml *site,
                               const struct lb_yaml *sites,
                               struct lb_config_faults *faults)
{
    for (const struct lb_yaml *other = sites->child; other != site;
         other = other->next) {
        if (has_host(other, host->text)) {
            const struct lb_yaml *id = lb_yaml_find(other, "id");

            lb_config_fault(faults, host->line, host->column, "hosts",
                            "\"%.60s\" is a host of %.64s already", host->text,
                            id == NULL || id->text == NULL ? "another site"
                                                           : id->text);
            return;
        }
    }
}

static void check_hosts(const struct lb_yaml *site,
                        const struct lb_yaml *sites,
                        struct lb_config_faults *faults)
{
    const struct lb_yaml *hosts = lb_yaml_find(site, "hosts");
    size_t count = 0;

    if (hosts == NULL) {
        return;
    }
    if (hosts->kind != LB_YAML_LIST) {
        lb_config_fault(faults, hosts->line, hosts->column, "hosts",
                        "must be a list");
        return;
    }
    for (const struct lb_yaml *host = hosts->child; host != NULL;
         host = host->next) {
        if (host->kind != LB_YAML_SCALAR ||
            !lb_text_is_made_of(host->text, HOST_CHARS, HOST_BYTES)) {
            lb_config_fault(faults, host->line, host->column, "hosts",
                            "must hold host names, like l.alice.bio, without "
                            "scheme, port or path");
        } else if (++count > HOSTS_MOST) {
            lb_config_fault(faults, host->line, host->column, "hosts",
                            "has more than %d values", HOSTS_MOST);
            return;
        } else {
            check_host_is_free(host, site, sites, faults);
        }
    }
}

static void check_site(const struct lb_yaml *site,
                       const struct lb_yaml *sites,
                       struct lb_config_faults *faults)
{
    const struct lb_yaml *links = lb_yaml_find(site, "links");
    const struct lb_yaml *zone_node = lb_yaml_find(site, "timezone");
    const struct lb_yaml *ignored = lb_yaml_find(site, "ignore_ips");
    const struct lb_zone *zone;
    struct lb_error err;
    const char *id;

    if (site->kind != LB_YAML_MAP) {
        lb_config_fault(faults, site->line, site->column, "sites",
                        "each site must hold id and timezone");
        return;
    }
    check_keys(site, site_keys, "site", faults);
    id = need_text(site, "id", ID_BYTES, faults);
    if (id != NULL && !is_site_id(id)) {
        lb_config_fault(faults, lb_yaml_find(site, "id")->line,
                        lb_yaml_find(site, "id")->column, "id",
                        "\"%s\" must be made of a-z, 0-9, . and -", id);
    }
    if (zone_node != NULL &&
        (zone_node->kind != LB_YAML_SCALAR ||
         lb_zone_find(zone_node->text, &zone, &err) != LB_OK)) {
        lb_config_fault(
            faults, zone_node->line, zone_node->column, "timezone", "%s",
            zone_node->kind == LB_YAML_SCALAR ? err.text : "must be a text");
    }
    if (ignored != NULL) {
        check_ignored(ignored, faults);
    }
    check_hosts(site, sites, faults);
    if (links != NULL && links->kind != LB_YAML_LIST) {
        lb_config_fault(faults, links->line, links->column, "links",
                        "must be a list");
        return;
    }
    for (const struct lb_yaml *link = links == NULL ? NULL : links->child;
         link != NULL; link = link->next) {
        check_link(link, faults);
        check_unique(link, links, "slug", faults);
    }
}

static void check_section(const struct lb_yaml *root,
                          const struct apply_kind *kind,
                          struct lb_config_faults *faults)
{
    const struct lb_yaml *list = lb_yaml_find(root, kind->section);

    if (list == NULL) {
        return;
    }
    if (list->kind != LB_YAML_LIST) {
        if (list->kind != LB_YAML_SCALAR || list->text[0] != '\0') {
            lb_config_fault(faults, list->line, list->column, kind->section,
                            "must be a list");
        }
        return;
    }
    for (const struct lb_yaml *item = list->child; item != NULL;
         item = item->next) {
        const char *id;

        if (item->kind != LB_YAML_MAP) {
            lb_config_fault(faults, item->line, item->column, kind->section,
                            "each %s must hold keys and values", kind->word);
            continue;
        }
        id = need_text(item, "id", 32, faults);
        if (id != NULL &&
            strspn(id, "abcdefghijklmnopqrstuvwxyz0123456789-") != strlen(id)) {
            lb_config_fault(faults, lb_yaml_find(item, "id")->line,
                            lb_yaml_find(item, "id")->column, "id",
                            "\"%s\" must be made of a-z, 0-9 and -", id);
        }
        check_unique(item, list, "id", faults);
        kind->check(item, root, faults);
    }
}

void apply_check(const struct lb_yaml *root,
                 const struct apply_kinds *kinds,
                 struct lb_config_faults *faults)
{
    const struct lb_yaml *sites = lb_yaml_find(root, "sites");

    if (sites != NULL && sites->kind == LB_YAML_LIST) {
        for (const struct lb_yaml *site = sites->child; site != NULL;
             site = site->next) {
            check_site(site, sites, faults);
            check_unique(site, sites, "id", faults);
        }
    } else if (sites != NULL &&
               (sites->kind == LB_YAML_MAP || sites->text[0] != '\0')) {
        lb_config_fault(faults, sites->line, sites->column, "sites",
                        "must be a list");
    }
    for (size_t i = 0; i < kinds->count; i++) {
        check_section(root, &kinds->kinds[i], faults);
    }
}

enum lb_err apply_load(const char *path,
                       const struct apply_kinds *kinds,
                       struct lb_config *config,
                       struct lb_yaml **root_out,
                       struct lb_error *err)
{
    struct lb_config_faults faults;
    enum lb_err rc = lb_config_init(config, err);

    *root_out = NULL;
    if (rc != LB_OK || path == NULL) {
        return rc;
    }
    rc = lb_config_load_file(path, root_out, err);
    if (rc != LB_OK) {
        return rc;
    }
    lb_config_faults_init(&faults);
    lb_config_read(config, *root_out, &faults);
    apply_check(*root_out, kinds, &faults);
    if (faults.count > 0) {
        const char *line = lb_buf_text(&faults.lines);

        while (*line != '\0') {
            size_t len = strcspn(line, "\n");

            (void)fprintf(stderr, "%s:%.*s\n", path, (int)len, line);
            line += len + 1;
        }
        rc = lb_err_set(err, LB_EINVAL,
                        "%s has %zu fault%s; nothing of it was applied", path,
                        faults.count, faults.count == 1 ? "" : "s");
    }
    lb_config_faults_deinit(&faults);
    return rc;
}
