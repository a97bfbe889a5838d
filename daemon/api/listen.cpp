#include "daemon/api/listen.hpp"

#include <fcntl.h>
#include <grp.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "daemon/api/fields.hpp"

namespace conductor::api {

namespace asio = boost::asio;

const char* errc_library(ApiErrc) {
    return "api";
}

std::string_view describe(ApiErrc e) {
    switch (e) {
        case ApiErrc::already_running: return "another daemon already serves this socket";
        case ApiErrc::lock: return "cannot lock the socket's lock file";
        case ApiErrc::bind: return "cannot listen";
        case ApiErrc::path_too_long: return "the path of a Unix socket has at most 107 octets";
        case ApiErrc::not_a_socket: return "there is a file at the socket's path that is no socket";
        case ApiErrc::address: return "[http] listen must be ADDRESS:PORT with a numeric address, as 127.0.0.1:8026 or [::1]:8026";
        case ApiErrc::tls_required:
            return "[http] listen is no loopback address: without TLS, tokens and texts would cross the network in clear";
        case ApiErrc::tls_unsupported:
            return "[http] this build does not serve TLS: listen on a loopback address, behind a proxy that does";
        case ApiErrc::no_tokens: return "[http] token_file is required and must hold at least one name:scope:token line";
        case ApiErrc::tokens: return "[http] token_file: a line is not name:scope:token with scope read, send or admin";
    }
    return "?";
}

namespace {

std::string errno_text(const std::string& what) {
    return what + ": " + std::error_code{errno, std::generic_category()}.message();
}

/// Gives the socket file to the group, where it exists and we may; a technician's root always can connect.
void give_to_group(const std::string& path, const std::string& group, const Log& log) {
    if (group.empty()) return;
    std::vector<char> memory(4096);
    struct group entry {};
    struct group* found = nullptr;
    while (::getgrnam_r(group.c_str(), &entry, memory.data(), memory.size(), &found) == ERANGE && memory.size() < 1024 * 1024)
        memory.resize(memory.size() * 2);
    if (!found) return log.info("socket-group-absent", {{"group", group}});
    struct stat now {};
    if (::stat(path.c_str(), &now) == 0 && now.st_gid == found->gr_gid) return;  // the unit's sandbox lets nobody change owners
    if (::chown(path.c_str(), static_cast<uid_t>(-1), found->gr_gid) != 0)
        log.notice("socket-group-not-set", {{"group", group}, {"why", errno_text("chown")}});
}

}  // namespace

Result<void> ControlSocket::lock() {
    const std::string file = path_ + ".lock";
    lock_ = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (lock_ < 0) return Error{ApiErrc::lock, errno_text(file)};
    if (::flock(lock_, LOCK_EX | LOCK_NB) == 0) return {};
    const Error error = errno == EWOULDBLOCK ? Error{ApiErrc::already_running, path_} : Error{ApiErrc::lock, errno_text(file)};
    ::close(std::exchange(lock_, -1));
    return error;
}

/// We hold the lock, so a file at the path belongs to no daemon of this version; but a stranger that answers there keeps it.
Result<void> ControlSocket::remove_stale() {
    struct stat info {};
    if (::lstat(path_.c_str(), &info) != 0) return errno == ENOENT ? Result<void>{} : Error{ApiErrc::bind, errno_text(path_)};
    if (!S_ISSOCK(info.st_mode)) return Error{ApiErrc::not_a_socket, path_};
    asio::local::stream_protocol::socket probe{acceptor_.get_executor()};
    boost::system::error_code ec;
    probe.connect(asio::local::stream_protocol::endpoint{path_}, ec);
    if (!ec) return Error{ApiErrc::already_running, path_};
    if (::unlink(path_.c_str()) != 0) return Error{ApiErrc::bind, errno_text(path_)};
    return {};
}

Result<void> ControlSocket::open(const std::string& path, const std::string& group, Log log) {
    if (path.size() >= sizeof(sockaddr_un{}.sun_path)) return Error{ApiErrc::path_too_long, path};
    path_ = path;
    if (auto locked = lock(); !locked) return locked;
    if (auto clear = remove_stale(); !clear) return clear;
    boost::system::error_code ec;
    acceptor_.open(asio::local::stream_protocol{}, ec);
    if (!ec) acceptor_.bind(asio::local::stream_protocol::endpoint{path_}, ec);
    if (ec) return Error{ApiErrc::bind, path_ + ": " + ec.message()};
    give_to_group(path_, group, log);
    if (::chmod(path_.c_str(), 0660) != 0) return Error{ApiErrc::bind, errno_text(path_)};
    acceptor_.listen(asio::socket_base::max_listen_connections, ec);
    if (ec) return Error{ApiErrc::bind, path_ + ": " + ec.message()};
    return {};
}

void ControlSocket::close() {
    if (acceptor_.is_open()) {
        boost::system::error_code ec;
        acceptor_.close(ec);
        ::unlink(path_.c_str());
    }
    if (lock_ >= 0) ::close(std::exchange(lock_, -1));
}

Result<asio::ip::tcp::endpoint> parse_listen(const std::string& listen) {
    const std::size_t colon = listen.rfind(':');
    if (colon == std::string::npos) return Error{ApiErrc::address, listen};
    std::string host = listen.substr(0, colon);
    const auto port = parse_integer(listen.substr(colon + 1), 0, 65535);
    const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
    if (bracketed) host = host.substr(1, host.size() - 2);
    boost::system::error_code ec;
    const auto address = asio::ip::make_address(host, ec);
    if (ec || !port || address.is_v6() != bracketed) return Error{ApiErrc::address, listen};
    return asio::ip::tcp::endpoint{address, static_cast<std::uint16_t>(*port)};
}

Result<TcpAcceptor> open_tcp(aio::Executor ex, const asio::ip::tcp::endpoint& endpoint) {
    TcpAcceptor acceptor{std::move(ex)};
    boost::system::error_code ec;
    acceptor.open(endpoint.protocol(), ec);
    if (!ec) acceptor.set_option(asio::socket_base::reuse_address{true}, ec);
    if (!ec) acceptor.bind(endpoint, ec);
    if (!ec) acceptor.listen(asio::socket_base::max_listen_connections, ec);
    if (ec) return Error{ApiErrc::bind, "port " + std::to_string(endpoint.port()) + ": " + ec.message()};
    return acceptor;
}

}  // namespace conductor::api
