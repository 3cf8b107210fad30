//! Which fields a kind has, in the order of its book, and what the Ministry's workbooks call them.
//!
//! Source: the column names of the Ministry of Justice's KS, KH and KT layouts as public software uses them.

use crate::field::{Attribute, Field, Role};
use crate::kind::Kind;

/// One column of a kind: the field, and its heading in the Ministry's workbook (`None` where the layout has no column).
#[derive(Debug, Clone, Copy)]
pub struct Column {
    /// What the column holds.
    pub field: Field,
    /// The heading in the Ministry's workbook.
    pub ministry: Option<&'static str>,
}

macro_rules! columns {
    ($($role:ident $attribute:ident $($ministry:literal)?;)+) => {
        &[$(Column {
            field: Field::new(Role::$role, Attribute::$attribute),
            ministry: columns!(@ $($ministry)?),
        },)+]
    };
    (@) => { None };
    (@ $ministry:literal) => { Some($ministry) };
}

/// What every entry has (the head and the tail of each layout).
const COMMON: &[Column] = columns! {
    Entry Number "so";
    Entry Book "quyenSo";
    Entry Page "trangSo";
    Entry RegistrationDate "ngayDangKy";
    Entry RegistrationType "loaiDangKy";
    Entry Authority "noiDangKy";
    Entry Signer "nguoiKy";
    Entry SignerTitle "chucVuNguoiKy";
    Entry Clerk "nguoiThucHien";
    Entry Note "ghiChu";
    Declarant Name "nycHoTen";
    Declarant Relation "nycQuanHe";
    Declarant PaperKind "nycLoaiGiayToTuyThan";
    Declarant PaperNumber "nycSoGiayToTuyThan";
    Entry ForeignNumber "soDangKyNuocNgoai";
    Entry ForeignDate "ngayDangKyNuocNgoai";
    Entry ForeignAuthority "cqNuocNgoaiDaDangKy";
    Entry ForeignCountry "qgNuocNgoaiDaDangKy";
    Entry Replaces;
    Entry SourceReference;
};

const BIRTH: &[Column] = columns! {
    Child Name "nksHoTen";
    Child Sex "nksGioiTinh";
    Child BirthDate "nksNgaySinh";
    Entry BirthDateInWords "nksNgaySinhBangChu";
    Entry EventPlace "nksNoiSinh";
    Entry EventPlaceCode "nksNoiSinhDVHC";
    Child Origin "nksQueQuan";
    Child Ethnicity "nksDanToc";
    Child Nationality "nksQuocTich";
    Child OtherNationality "nksQuocTichKhac";
    Child PersonalNumber "nksSoDDCN";
    Entry BirthKind "nksLoaiKhaiSinh";
    Mother Name "meHoTen";
    Mother BirthDate "meNgaySinh";
    Mother Ethnicity "meDanToc";
    Mother Nationality "meQuocTich";
    Mother OtherNationality "meQuocTichKhac";
    Mother ResidenceKind "meLoaiCuTru";
    Mother Residence "meNoiCuTru";
    Mother PaperKind "meLoaiGiayToTuyThan";
    Mother PaperNumber "meSoGiayToTuyThan";
    Mother PersonalNumber "meSoDDCN";
    Father Name "chaHoTen";
    Father BirthDate "chaNgaySinh";
    Father Ethnicity "chaDanToc";
    Father Nationality "chaQuocTich";
    Father OtherNationality "chaQuocTichKhac";
    Father ResidenceKind "chaLoaiCuTru";
    Father Residence "chaNoiCuTru";
    Father PaperKind "chaLoaiGiayToTuyThan";
    Father PaperNumber "chaSoGiayToTuyThan";
    Father PersonalNumber "chaSoDDCN";
};

const MARRIAGE: &[Column] = columns! {
    Husband Name "chongHoTen";
    Husband BirthDate "chongNgaySinh";
    Husband Ethnicity "chongDanToc";
    Husband Nationality "chongQuocTich";
    Husband ResidenceKind "chongLoaiCuTru";
    Husband Residence "chongNoiCuTru";
    Husband PaperKind "chongLoaiGiayToTuyThan";
    Husband PaperNumber "chongSoGiayToTuyThan";
    Husband PaperDate "chongNgayCapGiayToTuyThan";
    Husband PaperIssuer "chongNoiCapGiayToTuyThan";
    Husband PersonalNumber "chongSoDDCN";
    Husband Origin "chongQueQuan";
    Wife Name "voHoTen";
    Wife BirthDate "voNgaySinh";
    Wife Ethnicity "voDanToc";
    Wife Nationality "voQuocTich";
    Wife ResidenceKind "voLoaiCuTru";
    Wife Residence "voNoiCuTru";
    Wife PaperKind "voLoaiGiayToTuyThan";
    Wife PaperNumber "voSoGiayToTuyThan";
    Wife PaperDate "voNgayCapGiayToTuyThan";
    Wife PaperIssuer "voNoiCapGiayToTuyThan";
    Wife PersonalNumber "voSoDDCN";
    Wife Origin "voQueQuan";
    Entry EventDate "ngayXacLapQuanHeHonNhan";
    Entry MarriageStatus "tinhTrangKetHon";
    Entry AnnulledOn "huyKetHonNgayGhiChu";
    Entry AnnulmentBasis "huyKetHonCanCu";
    Entry RecognisedOn "congNhanKetHonNgayGhiChu";
    Entry RecognitionBasis "congNhanKetHonCanCu";
    Entry DivorcedOn "lyHonNgayGhiChu";
    Entry DivorceBasis "lyHonCanCu";
};

const DEATH: &[Column] = columns! {
    Deceased Name "nktHoTen";
    Deceased Sex "nktGioiTinh";
    Deceased BirthDate "nktNgaySinh";
    Deceased Ethnicity "nktDanToc";
    Deceased Nationality "nktQuocTich";
    Deceased ResidenceKind "nktLoaiCuTru";
    Deceased Residence "nktNoiCuTru";
    Deceased PaperKind "nktLoaiGiayToTuyThan";
    Deceased PaperNumber "nktSoGiayToTuyThan";
    Deceased PersonalNumber "nktSoDDCN";
    Deceased Origin "nktQueQuan";
    Entry EventDate "nktNgayChet";
    Entry EventTime "nktGioPhutChet";
    Entry EventPlace "nktNoiChet";
    Entry EventPlaceCode "nktNoiChetDVHC";
    Entry Cause "nktNguyenNhanChet";
    Entry DeclaredDeadOn "nktTinhTrangTuyenBoViecChetNgayGhiChu";
    Entry DeclaredDeadBasis "nktTinhTrangTuyenBoViecChetCanCu";
    Entry RevokedOn "nktTinhTrangTuyenBoViecChetHuyNgayGhiChu";
    Entry RevocationBasis "nktTinhTrangTuyenBoViecChetHuyCanCu";
    Entry NoticeKind "gbtLoai";
    Entry NoticeNumber "gbtSo";
    Entry NoticeDate "gbtNgay";
    Entry NoticeIssuer "gbtCoQuanCap";
};

/// The columns of a kind, head first; the same order in provincial tables, workbooks and reports.
pub fn columns(kind: Kind) -> impl Iterator<Item = &'static Column> + Clone {
    let own = match kind {
        Kind::Birth => BIRTH,
        Kind::Marriage => MARRIAGE,
        Kind::Death => DEATH,
    };
    COMMON.iter().chain(own)
}

/// The roles of the people in an entry of this kind, the principal ones first.
#[must_use]
pub const fn roles(kind: Kind) -> &'static [Role] {
    match kind {
        Kind::Birth => &[Role::Child, Role::Mother, Role::Father],
        Kind::Marriage => &[Role::Husband, Role::Wife],
        Kind::Death => &[Role::Deceased],
    }
}

/// The field with this heading in the Ministry's workbook of the kind, compared without regard to case.
#[must_use]
pub fn by_ministry_heading(kind: Kind, heading: &str) -> Option<Field> {
    columns(kind)
        .find(|column| column.ministry.is_some_and(|name| name.eq_ignore_ascii_case(heading.trim())))
        .map(|column| column.field)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_column_stands_twice_and_every_heading_leads_back() {
        for kind in Kind::ALL {
            let fields: BTreeSet<_> = columns(kind).map(|column| column.field).collect();
            assert_eq!(fields.len(), columns(kind).count(), "{kind}");
            for column in columns(kind) {
                if let Some(heading) = column.ministry {
                    assert_eq!(by_ministry_heading(kind, heading), Some(column.field), "{heading}");
                }
            }
        }
    }
}
