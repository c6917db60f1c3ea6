/* raw.h: what a raw BPF expression may consist of. Within fc_filter only.
 *
 * libpcap looks unknown words up: `host web` and `net lab` ask the resolver, `port imap` and `proto \tcp`
 * read files that differ from machine to machine. A definition must mean the same everywhere, and checking
 * one must never send a packet. So a raw expression is split into words exactly as libpcap's scanner does
 * (longest run of [-._A-Za-z0-9]), and each word must be a keyword from the table in raw.c in libpcap's own
 * spelling (it takes "TCP" for a host name), a number, a port range, or an address. Nothing that could be a
 * name is left for libpcap to look up.
 */
#ifndef FC_FILTER_RAW_H
#define FC_FILTER_RAW_H

#include "common/base/err.h"

/* Words, brackets, length: does not compile it. The sentence names the word. Field: "rawFilter". */
FC_MUST_USE fc_err
fc_raw_check(const char *raw, fc_fail *fail);

#endif
