#include "daemon/core/message.hpp"

#include <span>
#include <utility>

#include "daemon/core/sha256.hpp"

namespace conductor {
namespace {

template <class E>
using Names = std::span<const std::pair<E, std::string_view>>;

template <class E>
std::string_view name_of(Names<E> names, E v) {
    for (const auto& [value, name] : names)
        if (value == v) return name;
    return "?";
}

template <class E>
std::optional<E> value_of(Names<E> names, std::string_view text) {
    for (const auto& [value, name] : names)
        if (name == text) return value;
    return std::nullopt;
}

constexpr std::pair<Direction, std::string_view> directions[] = {{Direction::outbound, "outbound"}, {Direction::inbound, "inbound"}};
constexpr std::pair<MessageClass, std::string_view> classes[] = {
    {MessageClass::marketing, "marketing"}, {MessageClass::transactional, "transactional"}, {MessageClass::reply, "reply"}};
constexpr std::pair<MessageStatus, std::string_view> statuses[] = {
    {MessageStatus::queued, "queued"},       {MessageStatus::sending, "sending"},         {MessageStatus::sent, "sent"},
    {MessageStatus::delivered, "delivered"}, {MessageStatus::undelivered, "undelivered"}, {MessageStatus::failed, "failed"},
    {MessageStatus::expired, "expired"},     {MessageStatus::cancelled, "cancelled"},     {MessageStatus::suppressed, "suppressed"},
    {MessageStatus::unknown, "unknown"},     {MessageStatus::unread, "unread"},           {MessageStatus::read, "read"}};
constexpr std::pair<DeliveryStatus, std::string_view> deliveries[] = {{DeliveryStatus::none, "none"},
                                                                      {DeliveryStatus::pending, "pending"},
                                                                      {DeliveryStatus::delivered, "delivered"},
                                                                      {DeliveryStatus::failed, "failed"},
                                                                      {DeliveryStatus::unknown, "unknown"}};
constexpr std::pair<PartStatus, std::string_view> part_statuses[] = {
    {PartStatus::waiting, "waiting"},     {PartStatus::submitting, "submitting"}, {PartStatus::sent, "sent"},
    {PartStatus::delivered, "delivered"}, {PartStatus::failed, "failed"},         {PartStatus::unknown, "unknown"}};
constexpr std::pair<Encoding, std::string_view> encodings[] = {
    {Encoding::gsm7, "gsm7"}, {Encoding::ucs2, "ucs2"}, {Encoding::data8, "data8"}};
constexpr std::pair<OnUnknown, std::string_view> on_unknowns[] = {{OnUnknown::hold, "hold"}, {OnUnknown::resend, "resend"}};

}  // namespace

std::string_view to_string(Direction v) {
    return name_of<Direction>(directions, v);
}
std::string_view to_string(MessageClass v) {
    return name_of<MessageClass>(classes, v);
}
std::string_view to_string(MessageStatus v) {
    return name_of<MessageStatus>(statuses, v);
}
std::string_view to_string(DeliveryStatus v) {
    return name_of<DeliveryStatus>(deliveries, v);
}
std::string_view to_string(PartStatus v) {
    return name_of<PartStatus>(part_statuses, v);
}
std::string_view to_string(Encoding v) {
    return name_of<Encoding>(encodings, v);
}
std::string_view to_string(OnUnknown v) {
    return name_of<OnUnknown>(on_unknowns, v);
}
std::optional<Direction> parse_direction(std::string_view text) {
    return value_of<Direction>(directions, text);
}
std::optional<MessageClass> parse_message_class(std::string_view text) {
    return value_of<MessageClass>(classes, text);
}
std::optional<MessageStatus> parse_message_status(std::string_view text) {
    return value_of<MessageStatus>(statuses, text);
}
std::optional<OnUnknown> parse_on_unknown(std::string_view text) {
    return value_of<OnUnknown>(on_unknowns, text);
}

std::string message_hash(std::string_view phone_number, std::string_view content) {
    std::string input{phone_number};
    input += '|';
    input += content;
    return hex_of(sha256(input), 8);
}

}  // namespace conductor
