/* script.c - the tracker's bytes, plain and packed. */
#include "ingest/script.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/http_request.h"
#include "base/http_respond.h"
#include "base/secret.h"
#include "base/text.h"

#define TAG_BYTES 16
#define GZIP_WINDOW (15 + 16)         /* zlib's way to ask for gzip's wrapper */
#define GZIP_MEMORY 9                 /* zlib's most */
#define FRESH "public, max-age=14400" /* a change reaches pages in 4 hours */

extern const char linkbell_lb_js[];

struct script {
    size_t len;
    Bytef *packed; /* owned */
    size_t packed_len;
    char tag[TAG_BYTES + 1]; /* of the plain bytes */
};

static enum lb_err pack(struct script *script, struct lb_error *err)
{
    z_stream stream = {.next_in = (const Bytef *)linkbell_lb_js,
                       .avail_in = (uInt)script->len};
    uLong bound;
    int done;

    if (deflateInit2(&stream, Z_BEST_COMPRESSION, Z_DEFLATED, GZIP_WINDOW,
                     GZIP_MEMORY, Z_DEFAULT_STRATEGY) != Z_OK) {
        return lb_err_set(err, LB_ENOMEM, "out of memory");
    }
    bound = deflateBound(&stream, (uLong)script->len);
    script->packed = malloc(bound);
    stream.next_out = script->packed;
    stream.avail_out = (uInt)bound;
    done = script->packed == NULL ? Z_MEM_ERROR : deflate(&stream, Z_FINISH);
    script->packed_len = stream.total_out;
    (void)deflateEnd(&stream);
    return done == Z_STREAM_END ? LB_OK
                                : lb_err_set(err, LB_ENOMEM, "out of memory");
}

/* Whether Accept-Encoding asks for gzip, and not with a weight of 0 (RFC 9110,
 * 12.5.3). */
static bool takes_gzip(const char *list)
{
    static const char name[] = "gzip";
    const char *at = list == NULL ? NULL : strcasestr(list, name);
    const char *weight;

    if (at == NULL) {
        return false;
    }
    weight = at + strlen(name);
    weight += strspn(weight, " \t;");
    return strncasecmp(weight, "q=0", 3) != 0 ||
           strspn(weight + 3, ".0") < strcspn(weight + 3, ", \t");
}

static void handle(struct lb_http_request *http, void *ctx)
{
    const struct script *script = ctx;
    const char *known = lb_http_request_header(http, "If-None-Match");
    bool is_packed =
        takes_gzip(lb_http_request_header(http, "Accept-Encoding"));
    char tag[TAG_BYTES + 8];

    (void)snprintf(tag, sizeof(tag), "\"%s%s\"", script->tag,
                   is_packed ? "-gz" : "");
    lb_http_respond_header(http, "Access-Control-Allow-Origin", "*");
    lb_http_respond_header(http, "Cross-Origin-Resource-Policy",
                           "cross-origin");
    lb_http_respond_header(http, "Cache-Control", FRESH);
    lb_http_respond_header(http, "Vary", "Accept-Encoding");
    lb_http_respond_header(http, "ETag", tag);
    if (known != NULL &&
        (strcmp(known, "*") == 0 || strstr(known, tag) != NULL)) {
        lb_http_respond(http, 304, NULL, "", 0);
    } else if (is_packed) {
        lb_http_respond_header(http, "Content-Encoding", "gzip");
        lb_http_respond(http, 200, "text/javascript; charset=utf-8",
                        (const char *)script->packed, script->packed_len);
    } else {
        lb_http_respond(http, 200, "text/javascript; charset=utf-8",
                        linkbell_lb_js, script->len);
    }
}

enum lb_err script_new(struct lb_http_server *server,
                       struct script **script_out,
                       struct lb_error *err)
{
    struct script *script = calloc(1, sizeof(*script));
    const struct lb_http_route routes[] = {
        {"GET", "/lb.js", NULL, handle, script, 0},
        {"GET", "/js/script.js", NULL, handle, script, 0},
    };
    uint8_t digest[LB_SECRET_SHA256_BYTES];
    enum lb_err rc;

    *script_out = script;
    if (script == NULL) {
        return lb_err_set(err, LB_ENOMEM, "out of memory");
    }
    script->len = strlen(linkbell_lb_js);
    lb_secret_sha256(linkbell_lb_js, script->len, digest);
    lb_text_to_hex(digest, TAG_BYTES / 2, script->tag);
    rc = pack(script, err);
    for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]) && rc == LB_OK;
         i++) {
        rc = lb_http_server_add_route(server, &routes[i], err);
    }
    return rc;
}

void script_free(struct script *script)
{
    if (script != NULL) {
        free(script->packed);
        free(script);
    }
}
