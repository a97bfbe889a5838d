#pragma once
// The vocabulary of a message: what the database stores, the API shows and Supabase is told.
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/core/clock.hpp"
#include "daemon/core/ids.hpp"

namespace conductor {

enum class Direction : std::uint8_t { outbound = 0, inbound = 1 };

/// Which policy binds a message: marketing obeys all of it, transactional part of it, replies the SIM limits alone.
enum class MessageClass : std::uint8_t { marketing = 0, transactional = 1, reply = 2 };

/// Numbers are stored in the database: never renumber.
enum class MessageStatus : std::uint8_t {
    queued = 0,   ///< waiting: due time, window, limit, modem, or held
    sending = 1,  ///< journaled, on a modem
    sent = 2,     ///< the network took every part
    delivered = 3,
    undelivered = 4,
    failed = 5,
    expired = 6,
    cancelled = 7,
    suppressed = 8,  ///< opt-out, consent or policy
    unknown = 9,     ///< it may have gone out
    unread = 20,     ///< inbound
    read = 21,       ///< inbound
};

enum class DeliveryStatus : std::uint8_t { none = 0, pending = 1, delivered = 2, failed = 3, unknown = 4 };

enum class PartStatus : std::uint8_t {
    waiting = 0,
    submitting = 1,  ///< journaled: from here until a result its outcome is open
    sent = 2,
    delivered = 3,
    failed = 4,
    unknown = 5,
};

enum class Encoding : std::uint8_t { gsm7 = 0, ucs2 = 1, data8 = 2 };

enum class OnUnknown : std::uint8_t { hold = 0, resend = 1 };

std::string_view to_string(Direction v);
std::string_view to_string(MessageClass v);
std::string_view to_string(MessageStatus v);
std::string_view to_string(DeliveryStatus v);
std::string_view to_string(PartStatus v);
std::string_view to_string(Encoding v);
std::string_view to_string(OnUnknown v);
std::optional<Direction> parse_direction(std::string_view text);
std::optional<MessageClass> parse_message_class(std::string_view text);
std::optional<MessageStatus> parse_message_status(std::string_view text);
std::optional<OnUnknown> parse_on_unknown(std::string_view text);

/// No further step of ours follows (evidence may still correct it upwards once).
constexpr bool is_final(MessageStatus s, DeliveryStatus d) {
    switch (s) {
        case MessageStatus::queued:
        case MessageStatus::sending: return false;
        case MessageStatus::sent:
        case MessageStatus::unknown: return d != DeliveryStatus::pending;
        case MessageStatus::delivered:
        case MessageStatus::undelivered:
        case MessageStatus::failed:
        case MessageStatus::expired:
        case MessageStatus::cancelled:
        case MessageStatus::suppressed:
        case MessageStatus::unread:
        case MessageStatus::read: return true;
    }
    return true;
}

struct Part {
    int seq = 1;  ///< from 1
    PartStatus status = PartStatus::waiting;
    std::optional<int> tp_mr;
    std::optional<ModemIndex> modem_index;
    int attempts = 0;
    bool operator==(const Part&) const = default;
};

/// One row of `messages` with its parts, as the API shows it.
struct Message {
    MessageId id;
    std::string key;
    Direction direction = Direction::outbound;
    MessageClass message_class = MessageClass::marketing;
    std::string phone_number;  ///< E.164, short code, or an alphanumeric sender (inbound)
    std::string content;       ///< UTF-8
    Encoding encoding = Encoding::gsm7;
    int segments = 1;
    MessageStatus status = MessageStatus::queued;
    DeliveryStatus delivery_status = DeliveryStatus::none;
    std::optional<ModemIndex> modem_index;
    std::optional<std::string> iccid;
    int retry_count = 0;
    double priority = 0;  ///< 0-100, higher first
    std::optional<WallTime> due_at;
    std::optional<WallTime> next_attempt_at;
    std::optional<WallTime> expires_at;
    std::optional<WallTime> sent_at;
    std::optional<WallTime> delivered_at;
    WallTime timestamp{};                     ///< when the row was made
    std::optional<WallTime> modem_timestamp;  ///< the service centre's time of an inbound message
    std::string message_hash;                 ///< 16 hex digits
    double cost = 0;
    std::optional<std::int64_t> scheduled_message_id;
    std::optional<std::string> campaign_name;
    std::optional<MessageId> in_reply_to;
    OnUnknown on_unknown = OnUnknown::hold;
    std::optional<std::string> reason;       ///< stable word
    std::optional<std::string> reason_text;  ///< a sentence: what happens next and who must act
    std::vector<Part> parts;
};

/// What a caller knows of the recipient; it makes the send priority where none is named. An empty field is unknown.
struct Customer {
    std::optional<WallTime> last_visit;
    std::optional<double> cycle_days;        ///< mean gap between visits
    std::optional<double> value_percentile;  ///< [0, 1]
    std::optional<int> visits;
    std::optional<double> campaign;  ///< priority of the campaign, [0, 100]
    // of the whole business; the box counts what it knows itself
    std::optional<int> sent, replied, sent_30_days;
    bool operator==(const Customer&) const = default;
};

/// What a caller asks to be sent; checked and completed by the intake service.
struct NewMessage {
    std::string to;
    std::string text;
    std::optional<std::string> key;  ///< absent: one is made
    std::optional<MessageClass> message_class;
    std::optional<MessageId> in_reply_to;
    bool consent = false;
    std::optional<WallTime> due_at;
    std::optional<std::chrono::milliseconds> expire_after;
    std::optional<OnUnknown> on_unknown;
    std::optional<double> priority;
    std::optional<ModemIndex> modem_index;
    std::optional<bool> report;
    bool flash = false;
    std::optional<std::string> state, time_zone;  ///< of the recipient's address: "CA", "America/Los_Angeles"
    std::optional<std::string> set;               ///< messages of one set to one number go out in the order in which they were taken
    Customer customer;
    // set by sync alone
    std::optional<std::int64_t> scheduled_message_id;
    std::int64_t claim_epoch = 0, revision = 0;
    bool offline_ok = false;  ///< a claimed row that may go while Supabase cannot be asked
    std::optional<std::string> campaign_name;
    std::optional<WallTime> expires_at;
};

/// First 16 hex digits of SHA-256 of `phone_number|content`, the number in E.164.
std::string message_hash(std::string_view phone_number, std::string_view content);

}  // namespace conductor
