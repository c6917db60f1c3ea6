/* counters.h: the coordinator's own counters: every refusal, limit and loss has a name. */
#ifndef CO_COUNTERS_H
#define CO_COUNTERS_H

#include <stdint.h>

#define CO_COUNTERS(X)                                                                                       \
    X(hellos_accepted, "nodes that introduced themselves")                                                   \
    X(hellos_denied, "nodes refused: the instance id is not the certificate's")                              \
    X(hellos_version, "nodes refused: no protocol version that both speak")                                  \
    X(features_unknown, "feature names of nodes ignored: not known here, too long or too many")              \
    X(hellos_invalid, "nodes refused: facts that are no names, or too many labels")                          \
    X(hellos_full, "nodes refused: the registry is full")                                                    \
    X(calls_before_hello, "calls refused: the node had not introduced itself")                               \
    X(instances_retired, "instances forgotten to make room: longest away, without captures")                 \
    X(connections_replaced, "connections closed: a newer one of the same instance came")                     \
    X(connections_revoked, "connections closed: certificate revoked or expired")                             \
    X(connections_foreign, "connections closed: the peer belongs to another fleet")                          \
    X(instances_silent, "times that a connected instance fell silent")                                       \
    X(reports, "instance capture reports taken")                                                             \
    X(reports_stale, "reports ignored: older than what is known")                                            \
    X(reports_unknown, "reports ignored: of a capture that is not known here; the node forgets it")          \
    X(reports_invalid, "reports refused: not well-formed")                                                   \
    X(reports_final, "reports ignored: they would revive a finished instance capture")                       \
    X(evidence_taken, "profiles and contexts of instance captures taken")                                    \
    X(evidence_stale, "profiles and contexts ignored: not newer than what is known")                         \
    X(evidence_unknown, "profiles and contexts refused: of a capture that the instance does not have")       \
    X(evidence_invalid, "profiles and contexts refused: not well-formed, or too large")                      \
    X(evidence_unstored_bytes, "bytes of evidence in memory now: what waits for the store")                  \
    X(segments_refused, "files that an instance reported beyond what its capture may have")                  \
    X(pushes, "desired states sent to nodes")                                                                \
    X(pushes_failed, "desired states that a node did not acknowledge")                                       \
    X(captures_created, "captures created")                                                                  \
    X(captures_refused, "captures refused: definition, name, target or quota")                               \
    X(quota_region, "captures refused: too many running in a region")                                        \
    X(quota_instance, "captures refused: too many on an instance")                                           \
    X(quota_captures, "captures refused: too many captures altogether")                                      \
    X(stops, "stop requests carried out")                                                                    \
    X(stops_unanswered, "instance captures whose stop was not acknowledged within the wait")                 \
    X(deletes, "captures deleted")                                                                           \
    X(watches_refused, "watches refused: too many of one capture")                                           \
    X(downloads, "files read by operators")                                                                  \
    X(downloads_refused, "reads refused: no such file, or its instance away")                                \
    X(hellos_removed, "nodes refused: certificate revoked, or instance removed and not enrolled anew")       \
    X(tokens_created, "enrolment tokens created")                                                            \
    X(tokens_revoked, "enrolment tokens revoked")                                                            \
    X(tokens_full, "enrolment tokens refused: too many are kept")                                            \
    X(enrolments_asked, "enrolments begun: a use of a token each")                                           \
    X(enrolments_issued, "certificates given to machines that enrolled")                                     \
    X(enrolments_repeated, "enrolments asked again and answered with the same certificate")                  \
    X(enrolments_approved, "enrolments approved by operators")                                               \
    X(enrolments_denied, "enrolments denied by operators")                                                   \
    X(enrol_refused_form, "enrolments refused: something is no name, or too long")                           \
    X(enrol_refused_token, "enrolments refused: token not known, or its secret wrong")                       \
    X(enrol_refused_revoked, "enrolments refused: token revoked")                                            \
    X(enrol_refused_expired, "enrolments refused: token expired")                                            \
    X(enrol_refused_place, "enrolments refused: the token is for another scale set or region")               \
    X(enrol_refused_csr, "enrolments refused: signing request wrong")                                        \
    X(enrol_refused_used, "enrolments refused: token used up")                                               \
    X(enrol_refused_taken, "enrolments refused: the instance id is another key's, or belongs elsewhere")     \
    X(enrol_refused_denied, "enrolments refused: an operator had denied them")                               \
    X(enrol_refused_full, "enrolments refused: too many enrolments or certificates are kept")                \
    X(renewals, "certificates given to nodes that had one")                                                  \
    X(renewals_refused, "renewals refused: signing request, or certificate revoked")                         \
    X(certificates_unrecorded, "certificates of nodes not noted: too many are known")                        \
    X(instances_removed, "instances removed by operators")                                                   \
    X(removals_refused, "removals refused: no such instance, or captures that are not over")                 \
    X(crl_failures, "revocation lists that could not be written; they are tried again")                      \
    X(crl_left_out, "revoked certificates that the last list has no room for; their Hello is refused")       \
    X(audit_dropped, "refusals that are only counted: too many in a minute for the audit log")               \
    X(log_left_out, "lines about refused peers left out of the log: too many of their kind at once")         \
    X(store_commits, "transactions committed")                                                               \
    X(store_failures, "transactions that failed")

typedef struct co_counters {
#define X(name, help) uint64_t name;
    CO_COUNTERS(X)
#undef X
} co_counters;

#endif
