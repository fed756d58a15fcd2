/* err.h - the one set of error codes, and the text that travels with a code.
 * A function that can fail returns enum lb_err; what an operator must read goes
 * into a struct lb_error, always the last argument.  Both are plain values and
 * safe in any thread. */
#ifndef LINKBELL_BASE_ERR_H
#define LINKBELL_BASE_ERR_H

#define LB_MUST_CHECK __attribute__((warn_unused_result))
#define LB_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))

enum lb_err {
    LB_OK = 0,
    LB_EINVAL,     /* an argument or a value is at fault */
    LB_ENOMEM,     /* out of memory */
    LB_ENOENT,     /* a file or an object does not exist */
    LB_ENOTFOUND,  /* a look-up found nothing */
    LB_EEXIST,     /* an object is there already */
    LB_EFORMAT,    /* bytes that do not follow their format */
    LB_ELIMIT,     /* a named limit was reached */
    LB_EIO,        /* reading or writing failed */
    LB_EFULL,      /* the disk, or the share of it that is ours, is full */
    LB_EREADONLY,  /* a file or directory can't be written */
    LB_EBUSY,      /* held by somebody else, or still being worked on */
    LB_EVERSION,   /* made by a newer linkbell */
    LB_EAUTH,      /* no credentials, or wrong ones */
    LB_EFORBIDDEN, /* credentials that do not reach this far */
    LB_ETIMEOUT,   /* a deadline passed */
    LB_ECANCELLED, /* stopped on request */
    LB_ENET,       /* a connection failed */
    LB_EINTERNAL   /* our own mistake */
};

#define LB_ERROR_TEXT_BYTES 200

struct lb_error {
    enum lb_err code;
    char text[LB_ERROR_TEXT_BYTES]; /* one sentence, no newline; cut if long */
};

/* Fills *err (NULL is fine) and returns code, so that finding an error is one
 * line.  The text is cut at LB_ERROR_TEXT_BYTES - 1 bytes. */
enum lb_err
lb_err_set(struct lb_error *err, enum lb_err code, const char *fmt, ...)
    LB_PRINTF(3, 4);

/* Puts "text: " before what *err says, and returns its code. */
enum lb_err lb_err_prefix(struct lb_error *err, const char *fmt, ...)
    LB_PRINTF(2, 3);

/* A static, lower-case word for code, "ok" to "internal". */
const char *lb_err_name(enum lb_err code);

#endif
