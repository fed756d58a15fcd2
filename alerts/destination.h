/* destination.h - one destination: what its type makes of a message, and what
 * it makes of the answer.  A type is one constant table; deliver.c knows no
 * type by name. */
#ifndef LINKBELL_ALERTS_DESTINATION_H
#define LINKBELL_ALERTS_DESTINATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cjson/cJSON.h>

#include "base/buf.h"
#include "base/config.h"
#include "base/err.h"
#include "base/secret.h"
#include "base/yaml.h"
#include "base/zone.h"

#define DESTINATION_RETRIES 24
#define DESTINATION_SECRETS 2
#define DESTINATION_URL_BYTES 2048
#define DESTINATION_TOKEN_BYTES 512
#define DESTINATION_HEADERS_BYTES 2048
#define DESTINATION_REMOTE_BYTES 64
#define DESTINATION_MEMORY_BYTES 3072
#define DESTINATION_STEPS 20        /* requests of one attempt at most */
#define DESTINATION_ROW_STEPS 10000 /* and of one that sends rows */
#define DESTINATION_MAIL_BYTES 320
#define DESTINATION_SIGV4_BYTES 96
#define DESTINATION_NOTE_BYTES 448

struct alert_links;
struct dials;

enum destination_outcome {
    DESTINATION_SUCCESS,
    DESTINATION_RETRY,
    DESTINATION_THROTTLED, /* holds the destination, uses up no attempt */
    DESTINATION_PERMANENT, /* this message will never be taken */
    DESTINATION_AUTH,      /* the destination pauses, uses up no attempt */
    DESTINATION_DISABLE,   /* nobody is there any more */
    DESTINATION_NEXT       /* the attempt goes on with another request */
};
/* "success", "retry", "throttled", ...; static. */
const char *destination_outcome_name(enum destination_outcome outcome);

/* What a type keeps between the attempts at one destination. */
struct destination_memory {
    char text[DESTINATION_MEMORY_BYTES];
    int64_t until_s; /* it is of use */
};

struct destination {
    const struct destination_type *type;
    struct destination_memory *memory; /* borrowed; NULL until it is set */
    const char *id;                    /* borrowed from the catalog */
    const cJSON *body;                 /* likewise */
    char url[DESTINATION_URL_BYTES];   /* of services: scheme, host, no slash */
    char token[DESTINATION_TOKEN_BYTES]; /* "" where the type has none */
    char user[DESTINATION_MAIL_BYTES];   /* of mail; token is the password */
    char headers[DESTINATION_HEADERS_BYTES]; /* lines of headers_env */
    uint8_t secrets[DESTINATION_SECRETS][LB_SECRET_WEBHOOK_BYTES];
    size_t secret_bytes[DESTINATION_SECRETS];
    size_t secret_count;
    int64_t timeout_ms;
    int64_t max_age_ms;
    int64_t digest_ms; /* alerts wait so long for others; 0: not at all */
    int64_t retries_ms[DESTINATION_RETRIES];
    size_t retry_count;
    int64_t spacing_us; /* between the starts of two attempts; 0: none */
    int concurrency;
    bool is_ordered;
    bool is_enabled;
};

/* Whether the body is that of a sample, sent by `destinations test`. */
bool destination_is_test(const char *body);

/* Events of a stream, each as the JSON of an export's row without its line end.
 */
struct destination_rows {
    const char *const *lines;
    size_t count;
    /* Of types that are by place: the rows of a site and UTC day stand together
     * and have one number; NULL for others. */
    const uint32_t *places;
};

struct destination_message {
    const struct destination_rows *rows; /* of a stream; NULL: an alert, ... */
    const char *id;
    const char *body; /* the webhook's bytes */
    int64_t now_s;    /* of this attempt */
    int step;         /* of the attempt, from 0; verdicts set the next */
    /* What an earlier request of this delivery made over there; "" nothing. */
    const char *remote_id;
    int64_t tries;   /* attempts made before this one */
    int64_t made_ms; /* wall; when the message was */
    const char *data_dir;
    const struct dials *dials;       /* for types that write; borrowed */
    const struct lb_zone *zone;      /* of the message's site; NULL: UTC */
    const struct alert_links *links; /* for types with buttons; borrowed */
};

/* What is sent; POST of JSON unless the type says otherwise. */
struct destination_request {
    const char *method;
    struct lb_buf url;     /* the destination's unless the type changes it */
    struct lb_buf headers; /* lines "Name: value", each ended by a newline */
    struct lb_buf body;
    char mail_from[DESTINATION_MAIL_BYTES]; /* "": this is no mail */
    char mail_to[DESTINATION_MAIL_BYTES];
    bool is_answer_long; /* megabytes may come, not delivery.response_limit */
    /* The message was taken by the request before; this one looks at something
     * else and wants the answer's body.  Whatever comes of it, the message is
     * delivered. */
    bool is_look;
    /* "aws:amz:REGION:SERVICE": signed with user and token; "": not. */
    char sigv4[DESTINATION_SIGV4_BYTES];
    bool has_login; /* user and token go as HTTP's basic authentication */
};
void destination_request_init(struct destination_request *request);
void destination_request_deinit(struct destination_request *request);

struct destination_answer {
    int status;             /* 0: none */
    const char *body;       /* what came of it; whole for types that need it */
    int64_t retry_after_ms; /* -1: the answer has none */
    int64_t reset_after_ms; /* no call is left until then; -1: nothing said */
    int exception;          /* X-ClickHouse-Exception-Code; 0: none */
    const char *etag;       /* "": none */
    const char *region;     /* X-Amz-Bucket-Region; "": none */
};

struct destination_verdict {
    enum destination_outcome outcome;
    int64_t wait_ms; /* hold the destination so long; 0: nothing said */
    int next_step;   /* of DESTINATION_NEXT */
    int refused;     /* rows that were not taken, and never will be */
    bool is_of_row;  /* of PERMANENT: a row of the batch is at fault */
    char remote_id[DESTINATION_REMOTE_BYTES]; /* "" none */
    /* What is to be done over there, in words, instead of what the answer said;
     * of SUCCESS: of a test message, what will go wrong.  "" nothing. */
    char note[DESTINATION_NOTE_BYTES];
};

enum destination_place {
    DESTINATION_URL,        /* url, url_env or url_file */
    DESTINATION_SECRET_URL, /* url_env or url_file alone */
    DESTINATION_SERVICE,    /* the service's address, or base_url */
    DESTINATION_FILE,       /* `path` */
    DESTINATION_MAIL /* `smtp`, with user and password where it wants them */
};

enum destination_login {
    DESTINATION_NO_LOGIN,
    DESTINATION_USER, /* user and password, or neither */
    DESTINATION_AWS   /* access_key and secret_key; maybe session_token */
};

struct destination_type {
    const char *name;
    enum destination_place place;
    enum destination_login login;
    const char *url_key; /* that holds the address; NULL: see place */
    const char *service; /* address of a service; NULL: see place */
    const char *token;   /* key without _env and _file; NULL: none */
    const char *rate;    /* unless set; NULL: no limit */
    const char *(*rate_of)(const cJSON *body); /* instead; NULL: rate */
    const char *const *keys;  /* of this type alone; ends with NULL */
    const char *const *needs; /* those of them that can't be left out */
    int64_t merges_over; /* so many that are due are one digest; 0: never */
    size_t stream_rows;  /* of a stream's batch at most; 0: takes no stream */
    size_t stream_bytes; /* of its rows at most; 0: as many as we can hold */
    bool may_have_url;   /* url_env or url_file in its place */
    bool may_have_login; /* user and password may stand in the address */
    bool needs_body;     /* the answer's body decides */
    bool is_serial;      /* one message after the other, whatever is set */
    bool is_without_contact; /* unless `contact` names what to send */
    bool may_digest;         /* takes `digest`: people read it */
    bool is_of_people;       /* a test message is about a made-up person */
    bool is_by_place;        /* rows are sorted by site and UTC day */
    /* What has to be made over there, as statements to be run; NULL: nothing.
     */
    void (*schema)(const cJSON *body, struct lb_buf *out);
    /* Faults of the type's own keys; NULL: none to look for. */
    void (*check)(const struct lb_yaml *destination,
                  struct lb_config_faults *faults);
    /* Why the message is of no use there, as a reason that stays; NULL: it is.
     * No such function: all are. */
    const char *(*skips)(const struct destination *destination,
                         const struct destination_message *message);
    /* LB_EFORMAT, LB_ELIMIT, LB_EINVAL: the message can't be rendered.
     * LB_EAUTH: what it takes to ask is not there. */
    enum lb_err (*render)(const struct destination *destination,
                          const struct destination_message *message,
                          struct destination_request *request,
                          struct lb_error *err);
    /* Instead of render and judge, for what is no request: on a thread of its
     * own, where it may wait for the disk.  The same steps. */
    void (*write)(const struct destination *destination,
                  const struct destination_message *message,
                  struct destination_verdict *verdict,
                  struct lb_error *err);
    /* What an answer means; the verdict comes in as RETRY with nothing else. */
    void (*judge)(const struct destination *destination,
                  const struct destination_message *message,
                  const struct destination_answer *answer,
                  struct destination_verdict *verdict);
};

extern const struct destination_type airtable_type;
extern const struct destination_type clickhouse_type;
extern const struct destination_type csv_type;
extern const struct destination_type discord_type;
extern const struct destination_type email_type;
extern const struct destination_type google_sheets_type;
extern const struct destination_type hubspot_type;
extern const struct destination_type pagerduty_type;
extern const struct destination_type redis_stream_type;
extern const struct destination_type s3_type;
extern const struct destination_type slack_type;
extern const struct destination_type sqs_type;
extern const struct destination_type teams_type;
extern const struct destination_type telegram_type;
extern const struct destination_type webhook_type;
extern const struct destination_type zapier_type;

/* The types of this version, by name; ends with NULL. */
extern const struct destination_type *const destination_types[];
const struct destination_type *destination_type_find(const char *name);

/* Reads a destination as it stands in the configuration; secrets come from the
 * environment or files.  err names the variable, never its value. */
LB_MUST_CHECK enum lb_err destination_read(const cJSON *body,
                                           struct destination *destination_out,
                                           struct lb_error *err);

/* What needs no secret: type, times, pace, whether it is on; false: its type is
 * not of this version. */
bool destination_read_plain(const cJSON *body,
                            struct destination *destination_out);
/* Of address and secrets: another one means that the destination may be well
 * again. */
void destination_fingerprint(const struct destination *destination,
                             uint8_t out[LB_SECRET_SHA256_BYTES]);

/* "5/s", "30/m", "5/2s", "1000/1d": microseconds between two; false when text
 * is none. */
bool destination_read_rate(const char *text, int64_t *spacing_us_out);

/* Whether the destination takes that field of a contact. */
bool destination_takes(const struct destination *destination,
                       const char *field);

/* The value of the Standard Webhooks signature: one "v1,..." a secret, newest
 * first. */
void destination_sign(const struct destination *destination,
                      const char *id,
                      int64_t at_s,
                      const char *body,
                      size_t len,
                      struct lb_buf *out);
/* The header lines of a signed message; without secrets the first two. */
void destination_add_signature(const struct destination *destination,
                               const struct destination_message *message,
                               const struct lb_buf *body,
                               struct lb_buf *headers);

/* What a status means where a type says nothing of its own: 2xx success, 429
 * holds, 413 permanent, else again. */
void destination_judge(const struct destination_answer *answer,
                       struct destination_verdict *verdict);

#endif
