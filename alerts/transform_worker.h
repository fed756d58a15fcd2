/* transform_worker.h - the process that runs the jq program of one destination:
 * apart from the service, without its files, memory and environment, so that no
 * program can read a secret, take the service's memory or stop it.
 *
 * Requests come on standard input, answers go to standard output, each a line
 * "KIND LENGTH" and LENGTH bytes.  The first request is the program; each
 * further one lines of JSON, and its answer the outputs, a line each, where an
 * empty line ends the outputs of one line of input. */
#ifndef LINKBELL_ALERTS_TRANSFORM_WORKER_H
#define LINKBELL_ALERTS_TRANSFORM_WORKER_H

#define TRANSFORM_WORKER_WORD "transform-worker" /* argv[1] of the process */
#define TRANSFORM_WORKER_OUTPUTS 100             /* of one input, at most */

/* argv: the name, the word, the destination, bytes of memory beyond those at
 * the start, seconds of processor time a request.  Returns an exit code. */
int transform_worker_main(int argc, char **argv);

#endif
