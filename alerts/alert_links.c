/* alert_links.c - signed links to one act on one alert. */
#include "alerts/alert_links.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "sql/own_key.h"

#define MAC_BYTES 16 /* 128 bits of HMAC-SHA256 */
#define KEY_BYTES 64
#define S_PER_DAY (LB_MS_PER_DAY / LB_MS_PER_S)

enum lb_err alert_links_init(struct db *db,
                             const struct lb_config *config,
                             struct alert_links *links_out,
                             struct lb_error *err)
{
    uint8_t key[OWN_KEY_BYTES];
    enum lb_err rc = own_key_get(db, "link_key", key, err);

    if (rc != LB_OK) {
        return rc;
    }
    lb_secret_hmac_init(&links_out->hmac, key, sizeof(key));
    lb_config_base_url(config, links_out->public_url);
    return LB_OK;
}

/* "6748a1f0-" and the MAC of act, alert and that end, in hex. */
static void make_key(const struct alert_links *links,
                     const char *alert,
                     const char *act,
                     int64_t until_s,
                     char out[KEY_BYTES])
{
    uint8_t mac[LB_SECRET_SHA256_BYTES];
    SHA256_CTX ctx;
    int len = snprintf(out, KEY_BYTES, "%" PRIx64 "-", (uint64_t)until_s);

    lb_secret_hmac_start(&links->hmac, &ctx);
    lb_secret_hmac_add(&ctx, out, (size_t)len);
    lb_secret_hmac_add(&ctx, act, strlen(act) + 1);
    lb_secret_hmac_add(&ctx, alert, strlen(alert));
    lb_secret_hmac_finish(&links->hmac, &ctx, mac);
    lb_text_to_hex(mac, MAC_BYTES, out + len);
}

void alert_links_add(const struct alert_links *links,
                     const char *alert,
                     const char *act,
                     int64_t now_s,
                     struct lb_buf *out)
{
    char key[KEY_BYTES];

    make_key(links, alert, act, now_s + ALERT_LINKS_DAYS * S_PER_DAY, key);
    lb_buf_printf(out, "%s/v1/alerts/%s/%s?key=%s", links->public_url, alert,
                  act, key);
}

bool alert_links_may(const struct alert_links *links,
                     const char *alert,
                     const char *act,
                     const char *key,
                     int64_t now_s)
{
    char right[KEY_BYTES];
    int64_t until_s = (int64_t)strtoll(key, NULL, 16);

    make_key(links, alert, act, until_s, right);
    return now_s < until_s && strlen(key) == strlen(right) &&
           lb_secret_is_equal(key, right, strlen(right));
}
