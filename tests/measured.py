"""Documents that the stages from `smoke` to `assess` leave, whole and small, for tests of what reads them."""

from collections.abc import Iterable, Mapping

from shipseal.digest import Digest, Reference
from shipseal.documents.image import ImageDocument, ImageLayer, ImagePackage, ImagePlatform, ImageService
from shipseal.documents.smoke import SmokeDocument, SuiteRun, Watched, Workload
from shipseal.purl import Purl
from tests import documents


def image(reference: str, platforms: Mapping[str, tuple[Digest, Iterable[str]]]) -> ImageDocument:
    """Return what is said of an image by the digest and the package URLs of each of its platforms."""
    layer = ImageLayer(name="all", digest=Digest.of(b"a layer"), diff_id=Digest.of(b"a layer"), size=1)
    described = Reference.parse(reference)

    def packages(purls: Iterable[str]) -> tuple[ImagePackage, ...]:
        parsed = {text: Purl.parse(text) for text in purls}
        return tuple(
            ImagePackage(purl=text, name=each.name, version=each.version, type=each.type, files=())
            for text, each in parsed.items()
        )

    return ImageDocument(
        format=2,
        reference=described,
        digest=described.digest,
        platforms={
            name: ImagePlatform(digest=digest, size=1, layers=(layer,), packages=packages(purls), generated=(), files=0)
            for name, (digest, purls) in platforms.items()
        },
        service=ImageService(name="sample", version="1"),
    )


def smoke(platform: str, digest: Digest, passed: int | None = None) -> SmokeDocument:
    """Return what is said of an image that answered nothing; `passed` tests ran on its files, if any."""
    told = documents.smoke(digest, platform)
    if passed is None:
        return told
    suite = SuiteRun(passed=passed, skipped=0, left_out={}, modules_not_in_the_image=(), platform=platform)
    return told.model_copy(update={"suite": suite})


def watched(
    platform: str,
    digest: Digest,
    *,
    loaded: tuple[str, ...] = (),
    opened_during_tests_only: tuple[str, ...] = (),
    never_opened: tuple[str, ...] = (),
) -> Watched:
    """Return what is said of an image of which these files were opened, or not."""
    work = Workload(digest=Digest.of(b"the work"), requests=3, tests=0, modules=1, loaded=1)
    return Watched(
        platform=platform,
        digest=digest,
        workload=work,
        how="a test",
        cannot_see=(),
        files=0,
        records=0,
        opened_by_the_service=0,
        loaded=loaded,
        opened_during_tests_only=opened_during_tests_only,
        never_opened=never_opened,
    )
