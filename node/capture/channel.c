#include "node/capture/channel.h"

#include "common/base/clock.h"

#include <errno.h>
#include <fleetcap/v1/helper.pb-c.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

enum { LENGTH_SIZE = 4, IN_SIZE = 2 * (CAP_MESSAGE_MAX + LENGTH_SIZE) };

static uint32_t
get_length(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

void
cap_channel_init(cap_channel *channel, int fd)
{
    *channel = (cap_channel){.fd = fd};
    (void)fc_buf_reserve(&channel->in, IN_SIZE);
    (void)fc_buf_reserve(&channel->out, CAP_OUTBOX_MAX);
}

void
cap_channel_fini(cap_channel *channel)
{
    fc_buf_fini(&channel->in);
    fc_buf_fini(&channel->out);
}

void
cap_channel_read(cap_channel *channel)
{
    while (!channel->closed && fc_buf_size(&channel->in) < CAP_MESSAGE_MAX + LENGTH_SIZE) {
        size_t room = CAP_MESSAGE_MAX + LENGTH_SIZE;
        ssize_t got = recv(channel->fd, fc_buf_reserve(&channel->in, room), room, MSG_DONTWAIT);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            return;
        if (got <= 0) {
            channel->closed = true;
            return;
        }
        fc_buf_commit(&channel->in, (size_t)got);
    }
}

Fcpb__HelperCommand *
cap_channel_take_command(cap_channel *channel)
{
    if (fc_buf_size(&channel->in) < LENGTH_SIZE)
        return NULL;
    const uint8_t *at = fc_buf_bytes(&channel->in);
    uint32_t length = get_length(at);
    if (length > CAP_MESSAGE_MAX) {
        channel->closed = true;
        fc_buf_clear(&channel->in);
        return NULL;
    }
    if (fc_buf_size(&channel->in) - LENGTH_SIZE < length)
        return NULL;
    Fcpb__HelperCommand *command = fcpb__helper_command__unpack(NULL, length, at + LENGTH_SIZE);
    fc_buf_consume(&channel->in, LENGTH_SIZE + length);
    if (command == NULL || command->body_case == FCPB__HELPER_COMMAND__BODY__NOT_SET) {
        channel->closed = true;
        if (command != NULL)
            fcpb__helper_command__free_unpacked(command, NULL);
        return NULL;
    }
    return command;
}

/* True when events came or the other end hung up; false when the time is over. */
static bool
wait_for(const cap_channel *channel, short events, fc_mono due)
{
    for (;;) {
        struct pollfd poller = {.fd = channel->fd, .events = events};
        int64_t left = fc_mono_until_ms(fc_clock_mono(&fc_clock_system), due);
        int ready = poll(&poller, 1, (int)left);
        if (ready > 0)
            return true;
        if (ready == 0 || errno != EINTR)
            return false;
    }
}

Fcpb__HelperCommand *
cap_channel_wait_command(cap_channel *channel, int timeout_ms)
{
    fc_mono due = fc_mono_after_ms(fc_clock_mono(&fc_clock_system), timeout_ms);
    for (;;) {
        Fcpb__HelperCommand *command = cap_channel_take_command(channel);
        if (command != NULL || channel->closed || !wait_for(channel, POLLIN, due))
            return command;
        cap_channel_read(channel);
    }
}

bool
cap_channel_send_more(cap_channel *channel)
{
    while (!channel->closed && fc_buf_size(&channel->out) > 0) {
        if (channel->out_left == 0)
            channel->out_left = LENGTH_SIZE + get_length(fc_buf_bytes(&channel->out));
        ssize_t sent =
            send(channel->fd, fc_buf_bytes(&channel->out), channel->out_left, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            return false;
        if (sent < 0) {
            channel->closed = true;
            break;
        }
        fc_buf_consume(&channel->out, (size_t)sent);
        channel->out_left -= (size_t)sent;
    }
    return true;
}

void
cap_channel_send(cap_channel *channel, const ProtobufCMessage *event)
{
    if (channel->closed)
        return;
    size_t size = protobuf_c_message_get_packed_size(event);
    if (fc_buf_size(&channel->out) + LENGTH_SIZE + size > CAP_OUTBOX_MAX) {
        channel->closed = true;
        return;
    }
    uint8_t *at = fc_buf_reserve(&channel->out, LENGTH_SIZE + size);
    for (unsigned i = 0; i < LENGTH_SIZE; i++)
        at[i] = (uint8_t)(size >> (24 - 8 * i));
    (void)protobuf_c_message_pack(event, at + LENGTH_SIZE);
    fc_buf_commit(&channel->out, LENGTH_SIZE + size);
    (void)cap_channel_send_more(channel);
}

void
cap_channel_flush(cap_channel *channel, int timeout_ms)
{
    fc_mono due = fc_mono_after_ms(fc_clock_mono(&fc_clock_system), timeout_ms);
    while (!cap_channel_send_more(channel) && wait_for(channel, POLLOUT, due))
        continue;
}
