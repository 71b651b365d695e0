#!/bin/bash
# Sends a signed request to Sluice: sign.sh METHOD PATH [BODY [IDEMPOTENCY-KEY]]
#
# SLUICE_URL says where to; SIGNING_KEYID and SIGNING_KEY who signs (the id and key of POST /api/v1/keys, or builtin and
# API_SIGNATURE_SECRET).  docs/identity.md has the form.  openssl gets the key as an argument: on a machine that others
# use too, take one of the other examples.
set -euo pipefail

method=$1 path=${2%%\?*} query=?
[[ $2 != *\?* ]] || query=?${2#*\?}
body=${3:-} once=${4:-}
authority=${SLUICE_URL#*://} && authority=${authority%%/*} && authority=${authority,,}
case $SLUICE_URL in
http:*) authority=${authority%:80} ;;
https:*) authority=${authority%:443} ;;
esac

names='"@method" "@authority" "@path" "@query"'
base="\"@method\": $method
\"@authority\": $authority
\"@path\": $path
\"@query\": $query
"
headers=()
if [ "$method" != GET ] && [ "$method" != HEAD ]; then
    digest="sha-256=:$(printf %s "$body" | openssl dgst -sha256 -binary | base64 -w0):"
    names+=' "content-digest"'
    base+="\"content-digest\": $digest
"
    headers+=(-H "Content-Digest: $digest")
    if [ -n "$once" ]; then
        names+=' "idempotency-key"'
        base+="\"idempotency-key\": $once
"
        headers+=(-H "Idempotency-Key: $once")
    fi
fi
params="($names);created=$(date +%s);nonce=\"$(openssl rand -hex 16)\";keyid=\"$SIGNING_KEYID\";alg=\"hmac-sha256\""
mac=$(printf %s "$base\"@signature-params\": $params" |
    openssl dgst -sha256 -mac HMAC -macopt "key:$SIGNING_KEY" -binary | base64 -w0)
[ -z "$body" ] || headers+=(-H 'Content-Type: application/json' --data-binary "$body")

curl -sS --fail-with-body --path-as-is -X "$method" "$SLUICE_URL$2" "${headers[@]}" \
    -H "Signature-Input: sig1=$params" -H "Signature: sig1=:$mac:"
