// SHA-256: the examples of NIST, and every length around the end of a block against sha256sum(1).
#include "daemon/core/sha256.hpp"

#include <doctest/doctest.h>

using namespace conductor;

TEST_CASE("sha256: examples of FIPS 180-4") {
    struct Row {
        std::string text;
        const char* digest;
    };
    const Row rows[] = {
        {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
        {std::string(1'000'000, 'a'), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"}};
    for (const Row& row : rows) CHECK(hex_of(sha256(row.text)) == row.digest);
    CHECK(hex_of(sha256("abc"), 8) == "ba7816bf8f01cfea");
}

TEST_CASE("sha256: around the end of a block") {
    // the digest of the digests of 0 to 199 octets 'x', one after the other as lower-case digits
    std::string all;
    for (std::size_t n = 0; n < 200; ++n) all += hex_of(sha256(std::string(n, 'x')));
    CHECK(hex_of(sha256(all)) == "f61ffcc417e1f0e59eba2da7fa32fbe05b64e478b68c6bacf990455f00248b98");
}
