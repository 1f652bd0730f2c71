#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# make_certificates.sh FOLDER: an authority (ca), a server's certificate (server), and certificates of clients: grader, admin,
# stranger (whom no user is named after), expired (the grader's), and foreign (the grader's, of another authority: otherca).
# NAME.pem and NAME.key each, and renewed: the server's by the other authority.
set -eu
cd "$1"
exec 2>openssl.log

authority() {
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -keyout "$1.key" -out "$1.pem" -subj "/CN=$1"
    : >"$1.index"
    cat >"$1.conf" <<END
[ca]
default_ca = it
[it]
database = $1.index
new_certs_dir = .
certificate = $1.pem
private_key = $1.key
default_md = sha256
rand_serial = yes
policy = any
unique_subject = no
x509_extensions = names
[any]
commonName = supplied
[names]
subjectAltName = \${ENV::NAMES}
END
}

# authority, file, common name, names, from, to
certificate() {
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$2.key" -out "$2.csr" -subj "/CN=$3"
    NAMES=$4 openssl ca -batch -notext -config "$1.conf" -in "$2.csr" -out "$2.pem" -startdate "$5" -enddate "$6"
    chmod 600 "$2.key"
}

old=20200101000000Z
new=20991231000000Z
authority ca
authority otherca
certificate ca server server "DNS:localhost,IP:127.0.0.1" $old $new
certificate otherca renewed server "DNS:localhost,IP:127.0.0.1" $old $new
certificate ca grader grader "DNS:grader.example.org,URI:xqueue:grader" $old $new
certificate ca admin admin "DNS:admin.example.org" $old $new
certificate ca stranger stranger "DNS:stranger.example.org" $old $new
certificate ca expired grader "DNS:grader.example.org" $old 20200102000000Z
certificate otherca foreign grader "DNS:grader.example.org" $old $new
