#pragma once
// One byte stream for a serial port, a pty, a TCP socket, or a transcript.
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "daemon/aio/aio.hpp"

namespace conductor::port {

enum class PortErrc {
    not_found = 1,  ///< no such device now
    busy,           ///< another process holds it
    denied,         ///< no permission
    lost,           ///< hung up, unplugged, or closed by the peer
    bad_name,       ///< not a port specification
    io,             ///< any other error of the system
    closed,         ///< closed by us
    hung,           ///< the device keeps the kernel waiting
};
const char* errc_library(PortErrc);
std::string_view describe(PortErrc e);

class ByteStream {
public:
    virtual ~ByteStream() = default;
    /// At least one octet, or an error: lost when the device is gone, closed after close().
    virtual aio::awaitable<Result<std::size_t>> read_some(std::span<std::uint8_t> into) = 0;
    /// All octets, or an error.
    virtual aio::awaitable<Result<void>> write(std::span<const std::uint8_t> octets) = 0;
    /// How many octets were taken at once, without waiting for room; 0 where nobody can say: write() takes the rest.
    virtual Result<std::size_t> write_now(std::span<const std::uint8_t>) { return std::size_t{0}; }
    /// Ends pending operations with `closed`. Idempotent.
    virtual void close() = 0;
    /// The descriptor for systemd's FD store; -1 where there is none.
    virtual int descriptor() const { return -1; }
};

struct PortSettings {
    unsigned baud = 115200;
};

/// Opens `spec`: "pty:PATH", "tcp:HOST:PORT", or a device path (libserialport; symlinks are resolved at every open).
aio::awaitable<Result<std::unique_ptr<ByteStream>>> open_port(std::string spec, PortSettings settings);
/// Takes over a descriptor that was open before (FD store).
Result<std::unique_ptr<ByteStream>> adopt_port(aio::Executor ex, int descriptor);
/// The device that a descriptor was opened on; empty when that cannot be told.
std::string name_of(int descriptor);

}  // namespace conductor::port
