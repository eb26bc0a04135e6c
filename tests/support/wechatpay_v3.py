"""RSA, AES-GCM, X.509 and SHA-1 for the tests of WeChat Pay's API v3, by another implementation than tollgate's: Python's
`cryptography`, which is OpenSSL. It has the keys of tests/fixtures/wechatpay-v3 by their names.

Started without arguments it answers one JSON object per line of standard input with one per line, until that ends. Bytes are
base64. With `--make NAME...` it makes keys of those names where there are none yet."""
import base64, datetime, hashlib, json, os, sys, warnings
from cryptography import x509
from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.x509.oid import NameOID

HOME = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "fixtures", "wechatpay-v3")
PEM, DER, PLAIN = serialization.Encoding.PEM, serialization.Encoding.DER, serialization.NoEncryption()
PKCS8, PKCS1 = serialization.PrivateFormat.PKCS8, serialization.PrivateFormat.TraditionalOpenSSL
SPKI = serialization.PublicFormat.SubjectPublicKeyInfo
loaded = {}
warnings.simplefilter("ignore")  # what newer versions call otherwise, older ones do not have


def key(name):
    """The private key of that name, or the one in the PEM text."""
    if name not in loaded:
        if name.startswith("-----BEGIN"):
            text = name.encode()
        else:
            with open(os.path.join(HOME, name + ".pem"), "rb") as file:
                text = file.read()
        loaded[name] = serialization.load_pem_private_key(text, None)
    return loaded[name]


def public(name):
    """The public key of a key of ours, or the one in the PEM text: a public key's or a certificate's."""
    if name.startswith("-----BEGIN PUBLIC KEY"):
        return serialization.load_pem_public_key(name.encode())
    if name.startswith("-----BEGIN CERTIFICATE"):
        return x509.load_pem_x509_certificate(name.encode()).public_key()
    return key(name).public_key()


def b64(data):
    return base64.b64encode(data).decode()


def sign(message, by):
    return b64(key(by).sign(base64.b64decode(message), padding.PKCS1v15(), hashes.SHA256()))


def verify(message, signature, by):
    try:
        public(by).verify(base64.b64decode(signature, validate=True), base64.b64decode(message), padding.PKCS1v15(), hashes.SHA256())
        return True
    except (InvalidSignature, ValueError):
        return False


def seal(text, nonce, aad, by):
    return b64(AESGCM(by.encode()).encrypt(nonce.encode(), base64.b64decode(text), aad.encode()))


def unseal(text, nonce, aad, by):
    """The text, or null."""
    try:
        return b64(AESGCM(by.encode()).decrypt(nonce.encode(), base64.b64decode(text), aad.encode()))
    except (InvalidTag, ValueError):
        return None


def certificate(of, serial, begins, ends):
    """A certificate of a key; it begins and ends so many seconds from now."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Tenpay.com Root CA of tests " + serial[:6])])
    now = datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None)
    at = lambda seconds: now + datetime.timedelta(seconds=seconds)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key(of).public_key())
    builder = builder.serial_number(int(serial, 16)).not_valid_before(at(begins)).not_valid_after(at(ends))
    return builder.sign(key(of), hashes.SHA256()).public_bytes(PEM).decode()


def about(text):
    """What a certificate says of itself."""
    read = x509.load_pem_x509_certificate(text.encode())
    days = (read.not_valid_after - read.not_valid_before).days
    return dict(serial="%040X" % read.serial_number, days=days, public=read.public_key().public_bytes(PEM, SPKI).decode())


def pems(of):
    """A key in the shapes in which people have it."""
    return dict(pkcs8=key(of).private_bytes(PEM, PKCS8, PLAIN).decode(), pkcs1=key(of).private_bytes(PEM, PKCS1, PLAIN).decode(),
                der=b64(key(of).private_bytes(DER, PKCS8, PLAIN)), public=key(of).public_key().public_bytes(PEM, SPKI).decode())


def made(bits):
    """A new key of so many bits; of an elliptic curve if there are none."""
    new = rsa.generate_private_key(65537, bits) if bits else ec.generate_private_key(ec.SECP256R1())
    return new.private_bytes(PEM, PKCS8, PLAIN).decode()


def sha1(data):
    return hashlib.sha1(base64.b64decode(data)).hexdigest()


KNOWN = dict(sign=sign, verify=verify, seal=seal, open=unseal, certificate=certificate, about=about, pems=pems, made=made, sha1=sha1)

if sys.argv[1:2] == ["--make"]:
    for name in sys.argv[2:]:
        try:
            with open(os.path.join(HOME, name + ".pem"), "x") as file:
                file.write(made(2048))
        except FileExistsError:
            pass
    sys.exit()

for line in sys.stdin:
    asked = json.loads(line)
    try:
        answer = {"is": KNOWN[asked.pop("do")](**asked)}
    except Exception as error:
        answer = {"error": repr(error)}
    print(json.dumps(answer), flush=True)
