/* client_rules.c - clients behind proxies, and what they ask for. */
#include "base/client_rules.h"

#include <stdlib.h>
#include <string.h>

#include "base/client_ip.h"
#include "base/log.h"

#define FORWARDED_BYTES ((size_t)1024 * 1024) /* as headers may be in all */

struct lb_client_rules {
    struct lb_ip_set *trusted; /* owned */
    char header[LB_CONFIG_TEXT_BYTES];
    bool is_gpc_honoured;
    bool is_dnt_honoured;
};

static enum lb_err fill(struct lb_client_rules *rules,
                        const struct lb_config *config,
                        struct lb_error *err)
{
    const struct lb_config_list *proxies = &config->trusted_proxies;
    struct lb_ip_set *trusted = NULL;
    enum lb_err rc = lb_ip_set_new((const char *const *)proxies->values,
                                   proxies->count, &trusted, err);

    if (rc != LB_OK) {
        return lb_err_prefix(err, "server.trusted_proxies");
    }
    lb_ip_set_free(rules->trusted);
    rules->trusted = trusted;
    memcpy(rules->header, config->client_ip_header, sizeof(rules->header));
    rules->is_gpc_honoured = config->is_gpc_honoured;
    rules->is_dnt_honoured = config->is_dnt_honoured;
    return LB_OK;
}

enum lb_err lb_client_rules_new(const struct lb_config *config,
                                struct lb_client_rules **rules_out,
                                struct lb_error *err)
{
    struct lb_client_rules *rules = calloc(1, sizeof(*rules));
    enum lb_err rc = rules == NULL ? lb_err_set(err, LB_ENOMEM, "out of memory")
                                   : fill(rules, config, err);

    if (rc != LB_OK) {
        lb_client_rules_free(rules);
        rules = NULL;
    }
    *rules_out = rules;
    return rc;
}

void lb_client_rules_set(struct lb_client_rules *rules,
                         const struct lb_config *config)
{
    struct lb_error err;

    if (fill(rules, config, &err) != LB_OK) {
        lb_log(LB_LOG_WARN, "clients", "text=\"%s\"", err.text);
    }
}

void lb_client_rules_free(struct lb_client_rules *rules)
{
    if (rules != NULL) {
        lb_ip_set_free(rules->trusted);
        free(rules);
    }
}

static struct lb_ip
read_hops(const struct lb_client_rules *rules,
          const struct lb_http_request *request,
          struct lb_ip (*read)(const struct lb_ip_set *trusted,
                               const struct lb_client_ip_hops *hops))
{
    struct lb_client_ip_hops hops = {{0}, NULL, NULL};
    struct lb_buf forwarded;
    struct lb_ip ip;

    if (!lb_http_request_is_local(request)) {
        (void)lb_ip_from(lb_http_request_peer(request), &hops.peer);
    }
    if (rules->header[0] != '\0') {
        hops.named = lb_http_request_header(request, rules->header);
    }
    lb_buf_init(&forwarded, FORWARDED_BYTES);
    if (lb_http_request_header(request, "X-Forwarded-For") != NULL) {
        lb_http_request_header_joined(request, "X-Forwarded-For", &forwarded);
        hops.forwarded = lb_buf_text(&forwarded);
    }
    ip = read(rules->trusted, &hops);
    lb_buf_deinit(&forwarded);
    return ip;
}

struct lb_ip lb_client_rules_find(const struct lb_client_rules *rules,
                                  const struct lb_http_request *request)
{
    return read_hops(rules, request, lb_client_ip_find);
}

struct lb_ip lb_client_rules_given(const struct lb_client_rules *rules,
                                   const struct lb_http_request *request)
{
    return read_hops(rules, request, lb_client_ip_given);
}

bool lb_client_rules_is_trusted(const struct lb_client_rules *rules,
                                const struct lb_http_request *request)
{
    struct lb_ip peer;

    return lb_http_request_is_local(request) ||
           (lb_ip_from(lb_http_request_peer(request), &peer) &&
            lb_ip_set_contains(rules->trusted, &peer));
}

static bool is_one(const struct lb_http_request *request, const char *name)
{
    const char *value = lb_http_request_header(request, name);

    return value != NULL && strcmp(value, "1") == 0;
}

bool lb_client_rules_is_private(const struct lb_client_rules *rules,
                                const struct lb_http_request *request)
{
    return (rules->is_gpc_honoured && is_one(request, "Sec-GPC")) ||
           (rules->is_dnt_honoured && is_one(request, "DNT"));
}
