/* channel.h: the conversation with the node daemon: a 4-byte big-endian length and one message, over a Unix
 * socket (stream or seqpacket).
 *
 * Nothing here blocks but cap_channel_wait_command and cap_channel_flush. What the socket does not take is
 * kept, up to a limit past which the node counts as gone. Memory is taken when the channel is opened, not
 * later. One thread.
 */
#ifndef CAP_CHANNEL_H
#define CAP_CHANNEL_H

#include "common/base/buf.h"
#include "common/base/err.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct Fcpb__HelperCommand Fcpb__HelperCommand;
typedef struct ProtobufCMessage ProtobufCMessage;

enum {
    CAP_MESSAGE_MAX = 64 << 10, /* what a command may take */
    CAP_OUTBOX_MAX = 1 << 20,   /* thousands of events: a node that reads none of them is dead */
};

typedef struct cap_channel {
    int fd;          /* borrowed */
    bool closed;     /* the other end is gone, or broke the protocol */
    fc_buf in;       /* owned */
    fc_buf out;      /* owned; framed messages, the first perhaps partly sent */
    size_t out_left; /* bytes of the first that are still to go */
} cap_channel;

void
cap_channel_init(cap_channel *channel, int fd);
void
cap_channel_fini(cap_channel *channel);
/* Reads what there is; sets closed at the end of file. */
void
cap_channel_read(cap_channel *channel);
/* The next whole command, owned by the caller (protobuf_c_message_free_unpacked), or NULL. Something that is
 * no command closes the channel. */
Fcpb__HelperCommand *
cap_channel_take_command(cap_channel *channel);
/* The same, waiting for it; NULL when the channel was closed or the time is over. */
Fcpb__HelperCommand *
cap_channel_wait_command(cap_channel *channel, int timeout_ms);
/* Queues one event and sends what the socket takes. */
void
cap_channel_send(cap_channel *channel, const ProtobufCMessage *event);
/* Sends more of what is queued; true when nothing is left. */
bool
cap_channel_send_more(cap_channel *channel);
/* Waits until everything is sent, at most timeout_ms. */
void
cap_channel_flush(cap_channel *channel, int timeout_ms);

#endif
